import { describe, expect, it } from 'vitest';
import { choosePartitions, type PartitionChoice } from '../../lib/job/choosePartitions.ts';
import { parseJob } from '../../lib/job/jobDocument.ts';
import {
  type InputPartition,
  isFileList,
  listInput,
  listInputShards,
  openJobInput,
} from '../../lib/job/jobInput.ts';
import { writeWhole } from '../../lib/storage/openStorage.ts';
import { joinUri } from '../../lib/storage/uri.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';

const s3 = testEndpoint();
const disk = temporaryFolder();
const NOON = Date.parse('2024-03-07T12:00:00Z');
let count = 0;

describe('the input of a job', () => {
  it.each([
    ['s3://b/lists/tonight.manifest', true],
    ['/lists/tonight.TXT', true],
    ['list.json', true],
    ['s3://b/features', false],
    ['s3://b/features.json/', false],
    ['s3://b/dt=1/a.parquet', false],
  ])('%s is a list of files: %s', (input, expected) => {
    expect(isFileList(input)).toBe(expected);
  });
});

describe.each([
  ['the local disk', () => disk],
  ['S3', () => `s3://${s3.bucket}`],
])('a list of files on %s', (_, base) => {
  /** A list of some of the files that there are; all are as long as their names. */
  async function listOf(listed: readonly string[], there: readonly string[] = listed) {
    const root = joinUri(base(), `case-${count++}`);
    for (const name of there) await writeWhole(joinUri(root, name), Buffer.from(name));
    const list = joinUri(root, 'lists/tonight.txt');
    const write = (names: readonly string[]) =>
      writeWhole(list, Buffer.from(names.map((name) => `${joinUri(root, name)}\n`).join('')));
    await write(listed);
    return { root, list, write };
  }
  const jobOf = (input: string, job: object = {}) => parseJob({ input, scores: 's', model: 'm', ...job });
  async function choose(input: string, job: object = {}, choice: PartitionChoice = { kind: 'newest' }) {
    const { partitions, skipped, missingDays } = await choosePartitions(jobOf(input, job), choice, NOON);
    return { partitions, chosen: partitions.map(({ partition }) => partition), skipped, missingDays };
  }
  const only = async (input: string, job: object = {}): Promise<InputPartition> =>
    (await choose(input, job)).partitions[0]!;
  const shardsOf = async (input: string, job: object = {}) =>
    (await listInputShards(await only(input, job))).shards.map(({ relativePath }) => relativePath);

  const DAYS = ['t/dt=2024-03-06/a', 't/dt=2024-03-03/a', 't/dt=2024-03-04/a', 't/dt=2024-03-07/a'];

  it('has the partitions that lie in the paths of its files: newest, one and days', async () => {
    const { root, list } = await listOf([...DAYS, 't/dt=test/a', 't/other/a'], []);
    const { partitions, chosen, skipped } = await choose(list);
    expect(chosen).toEqual(['dt=2024-03-06']);
    expect(partitions).toEqual([
      {
        partition: 'dt=2024-03-06',
        inputUri: joinUri(root, 't/dt=2024-03-06'),
        fileList: { uri: list, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
      },
    ]);
    expect(new Map(skipped.map(({ name, reason }) => [name, reason]))).toEqual(
      new Map([
        [joinUri(root, 't/other'), expect.stringContaining('dt=%Y-%m-%d')],
        ['dt=test', expect.stringContaining("'test'")],
        ['dt=2024-03-07', expect.stringContaining('not over yet')],
      ]),
    );
    const range = { kind: 'dates', from: '2024-03-03', to: '2024-03-06' } as const;
    expect(await choose(list, {}, range)).toMatchObject({
      chosen: ['dt=2024-03-03', 'dt=2024-03-04', 'dt=2024-03-06'],
      missingDays: ['2024-03-05'],
    });
    expect((await choose(list, {}, { kind: 'one', partition: 'dt=2024-03-03' })).chosen).toHaveLength(1);
    await expect(choose(list, {}, { kind: 'one', partition: 'dt=2024-03-05' })).rejects.toMatchObject({
      code: 'PLAN_NO_PARTITION',
    });
  });

  it('may lie below dated folders: the deepest keys count, of all that the layout has', async () => {
    const { root, list } = await listOf([
      'dt=2024-03-01/table/dt=2024-03-06/hour=09/sub/a',
      'dt=2024-03-01/table/dt=2024-03-06/hour=10/a',
    ]);
    const { partitions } = await choose(list, { partitions: 'dt=/hour=' });
    expect(partitions.map(({ partition, inputUri }) => [partition, inputUri])).toEqual(
      ['dt=2024-03-06/hour=09', 'dt=2024-03-06/hour=10'].map((name) => [
        name,
        joinUri(root, 'dt=2024-03-01/table', name),
      ]),
    );
    expect(await shardsOf(list, { partitions: 'dt=/hour=' })).toEqual(['sub/a']);
    expect(await shardsOf(list)).toEqual(['hour=09/sub/a', 'hour=10/a']);
  });

  it('names the shards of a partition, in order and with their versions; what lies beside them is none', async () => {
    const files = ['t/dt=2024-03-06/b', 't/dt=2024-03-06/_hidden/a.parquet'];
    const { root, list } = await listOf(files, [...files, 't/dt=2024-03-06/dead.parquet', 't/_delta_log/0']);
    const { shards, ignored } = await listInputShards(await only(list));
    expect(shards).toMatchObject([
      { relativePath: '_hidden/a.parquet', uri: joinUri(root, files[1]!), sizeBytes: files[1]!.length },
      { relativePath: 'b', uri: joinUri(root, files[0]!), sizeBytes: files[0]!.length },
    ]);
    expect(ignored).toEqual([]);
    for (const { version } of shards) expect(version).not.toBe('');
  });

  it('is refused where a file of the partition is missing, twice or of another partition folder, and of no other', async () => {
    const files = ['t/dt=2024-03-06/a', 't/dt=2024-03-06/b', 't/dt=2024-03-06/a', 't/dt=2024-03-04/gone'];
    const { list } = await listOf(files, ['t/dt=2024-03-06/a']);
    const error = await shardsOf(list).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'INPUT_LIST_INVALID', location: { file: list } });
    expect((error as { problems: readonly string[] }).problems).toEqual([
      expect.stringMatching(/^line 2: .*dt=2024-03-06\/b: there is no such file$/),
      expect.stringMatching(/^line 3: .*the same file as line 1$/),
    ]);
    const scattered = await listOf(['t/dt=2024-03-06/a', 'u/dt=2024-03-06/b', 't/dt=2024-03-05/a']);
    await expect(shardsOf(scattered.list)).rejects.toMatchObject({
      code: 'INPUT_LIST_SCATTERED',
      problems: ['t', 'u'].map((name) => joinUri(scattered.root, name, 'dt=2024-03-06')),
    });
    const whole = await choose(scattered.list, {}, { kind: 'one', partition: 'dt=2024-03-05' });
    expect((await listInputShards(whole.partitions[0]!)).shards).toHaveLength(1);
  });

  it('that names another folder, or no file of a partition any more, is noticed', async () => {
    const { list, write } = await listOf(DAYS);
    const input = await only(list);
    await write(['u/dt=2024-03-06/a']);
    await expect(listInputShards(input)).rejects.toMatchObject({ code: 'PLAN_STALE' });
    await write([DAYS[1]!]);
    await expect(listInputShards(input)).rejects.toMatchObject({ code: 'INPUT_EMPTY' });
    expect((await listInput(input)).shards).toEqual([]);
  });

  it('is ready by its own files, or by a marker beside them', async () => {
    const files = ['t/dt=2024-03-06/a', 't/dt=2024-03-05/a', 't/dt=2024-03-05/b', 't/dt=2024-03-04/a'];
    const { list } = await listOf(files, [...files, 't/dt=2024-03-06/b', 't/dt=2024-03-04/_SUCCESS']);
    const newest = async (completeness: object) => (await choose(list, { completeness })).chosen;
    expect(await newest({ kind: 'shards', count: 2 })).toEqual(['dt=2024-03-05']);
    expect(await newest({ kind: 'marker' })).toEqual(['dt=2024-03-04']);
    // Written just now, long after the clock of this test.
    await expect(newest({ kind: 'quiet', minutes: 1 })).rejects.toMatchObject({ code: 'PLAN_NO_PARTITION' });
    expect(await newest({ kind: 'none' })).toEqual(['dt=2024-03-06']);
  });
});

it('a partition of a list in S3 costs a request for the list and those of listing its folder, however many files it has', async () => {
  const root = `s3://${s3.bucket}/counted`;
  const uris = Array.from({ length: 40 }, (_, index) => `${root}/dt=2024-03-06/${index}.parquet`);
  for (const uri of uris) await writeWhole(uri, Buffer.from('x'));
  await writeWhole(`${root}/list.txt`, Buffer.from(uris.join('\n')));
  const job = parseJob({ input: `${root}/list.txt`, scores: 's', model: 'm' });
  const input = (await openJobInput(job)).inputPartition('dt=2024-03-06');
  const before = s3.double?.requests.length ?? 0;
  expect((await listInputShards(input)).shards).toHaveLength(40);
  const requests = s3.double?.requests.slice(before).map(({ method, key }) => (key === '' ? 'LIST' : method));
  if (requests !== undefined) expect(requests.length, requests.join(' ')).toBeLessThanOrEqual(3);
});
