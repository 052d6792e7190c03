import { mkdirSync, mkdtempSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { choosePartitions, type PartitionChoice, partitionOf } from '../../lib/job/choosePartitions.ts';
import { parseJob } from '../../lib/job/jobDocument.ts';
import { listInput } from '../../lib/job/jobInput.ts';
import { dayRange } from '../../lib/job/listPartitions.ts';
import { parsePartitionLayout } from '../../lib/job/partitionLayout.ts';
import { joinUri } from '../../lib/storage/uri.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { putFolder } from '../support/s3/putFolder.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';

const s3 = testEndpoint({ pageSize: 3 });
const folder = temporaryFolder();
const NOON = Date.parse('2024-03-07T12:00:00Z');

/** An input root of empty files on disk. */
function inputOf(...files: readonly string[]): string {
  const root = mkdtempSync(join(folder, 'input-'));
  for (const file of files) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), '');
  }
  return root;
}

const shardsIn = (...partitions: readonly string[]) => partitions.map((each) => `${each}/part-0.parquet`);

async function choose(input: string, job: object, choice: PartitionChoice, nowMillis = NOON) {
  const document = parseJob({ input, scores: 's', model: 'm', ...job });
  const { partitions, skipped, missingDays } = await choosePartitions(document, choice, nowMillis);
  return { chosen: partitions.map(({ partition }) => partition), skipped, missingDays };
}
const newest = async (files: readonly string[], job: object = {}, nowMillis = NOON) =>
  choose(inputOf(...files), job, { kind: 'newest' }, nowMillis);

describe('the layout none', () => {
  const job = { partitions: 'none' };
  const files = ['a.parquet', 'deep/er/b.parquet', 'dt=2024-03-04/c.parquet'];

  it('makes the whole input one partition, whatever its folders are called', async () => {
    const input = inputOf(...files);
    const all = { chosen: ['all'], skipped: [], missingDays: [] };
    expect(await choose(input, job, { kind: 'newest' })).toEqual(all);
    expect(await choose(input, job, { kind: 'one', partition: 'all' })).toEqual(all);
    const document = parseJob({ input, scores: 's', model: 'm', ...job });
    const { partitions } = await choosePartitions(document, { kind: 'newest' }, NOON);
    const { shards } = await listInput(partitions[0]!);
    expect(shards.map(({ relativePath }) => relativePath)).toEqual(files);
    expect(partitionOf(input, document.layout, join(input, 'deep/er/b.parquet'))).toEqual({
      partition: 'all',
    });
  });

  it('takes a list of files as one partition, too', async () => {
    const input = inputOf(...files.slice(0, 1));
    const list = join(folder, 'whole.txt');
    writeFileSync(list, `${join(input, 'a.parquet')}\n`);
    const document = parseJob({ input: list, scores: 's', model: 'm', ...job });
    const { partitions } = await choosePartitions(document, { kind: 'newest' }, NOON);
    expect(partitions).toMatchObject([{ partition: 'all', inputUri: input }]);
    expect((await listInput(partitions[0]!)).shards.map(({ uri }) => uri)).toEqual([
      join(input, 'a.parquet'),
    ]);
  });

  it('waits for a marker, has no days and no other partition', async () => {
    const input = inputOf(...files);
    const marked = { ...job, completeness: { kind: 'marker' } };
    await expect(choose(input, marked, { kind: 'newest' })).rejects.toThrow('found all: no _SUCCESS');
    writeFileSync(join(input, '_SUCCESS'), '');
    expect((await choose(input, marked, { kind: 'newest' })).chosen).toEqual(['all']);
    await expect(choose(input, job, { kind: 'dates', from: '2024-03-01', to: '2024-03-09' })).rejects.toThrow(
      /PLAN_NO_PARTITION.*a layout whose keys name a day/,
    );
    await expect(choose(input, job, { kind: 'one', partition: 'dt=2024-03-04' })).rejects.toThrow(
      'PLAN_NO_PARTITION',
    );
  });

  it('refuses a file, whose folder and name a job can give', async () => {
    const file = join(inputOf('a.parquet'), 'a.parquet');
    await expect(choose(file, job, { kind: 'newest' })).rejects.toThrow(
      /PLAN_NO_PARTITION.*the file as the shardPattern/,
    );
  });

  it('refuses scores that would be input', () => {
    const scored = (scores: string) => () => parseJob({ input: 's3://b/in', scores, model: 'm', ...job });
    expect(scored('s3://b/in/scores')).toThrow(/scores: .*outside of the input/);
    expect(scored('s3://b/in')).toThrow('JOB_INVALID');
    expect(scored('s3://b/input')).not.toThrow();
    const only = (shardPattern: string) => () =>
      parseJob({ input: 's3://b/in', scores: 's3://b/in/scores', model: 'm', ...job, shardPattern });
    expect(only('part-*')).not.toThrow();
    expect(only('**.parquet')).toThrow('JOB_INVALID');
  });
});

describe('a partition that is not there', () => {
  test.each([
    ['dt=2024-03-5', ['dt=2024-03-05'], { partitions: 'dt=' }, undefined],
    [
      'year=2024/month=3/day=05',
      ['year=2024/month=03/day=5'],
      { partitions: 'year=/month=/day=' },
      'year=2024/month=03/day=5',
    ],
    ['region=su', ['region=us', 'region=elsewhere'], { partitions: 'region=*' }, 'region=us'],
    ['dt=2024-03-05', ['dt=2024-03-06'], { partitions: 'dt=' }, undefined],
  ])('%s beside %s', async (partition, there, job, meant) => {
    const error = await choose(inputOf(...shardsIn(...there)), job, { kind: 'one', partition }).catch(
      (e) => e,
    );
    expect(error.code).toBe('PLAN_NO_PARTITION');
    if (meant === undefined) expect(error.message).not.toContain('did you mean');
    else expect(error.message).toContain(`did you mean ${meant}?`);
  });
});

describe('newest', () => {
  test.each<[string, readonly string[], object, readonly string[]]>([
    [
      'passes over names that say no day, and days to come',
      shardsIn('dt=2024-03-04', 'dt=__HIVE_DEFAULT_PARTITION__', 'dt=test', 'dt=9999-12-31', 'other'),
      {},
      ['dt=2024-03-04'],
    ],
    [
      'goes by the month and not by its first digit',
      shardsIn('year=2023/month=9/day=30', 'year=2023/month=10/day=1'),
      { partitions: 'year=/month=/day=' },
      ['year=2023/month=10/day=1'],
    ],
    [
      'takes every hour of the day, in their order',
      shardsIn(...[9, 10, 11, 2].map((hour) => `dt=2024-03-06/hour=${hour}`), 'dt=2024-03-05/hour=23'),
      { partitions: 'dt=/hour=' },
      [2, 9, 10, 11].map((hour) => `dt=2024-03-06/hour=${hour}`),
    ],
    [
      'goes by the day across regions',
      shardsIn('region=eu/dt=2024-03-06', 'region=us/dt=2024-03-02'),
      { partitions: 'region=/dt=' },
      ['region=eu/dt=2024-03-06'],
    ],
    [
      'takes the day of every region that has it',
      shardsIn('region=us/dt=2024-03-06', 'region=eu/dt=2024-03-06', 'region=eu/dt=2024-03-05'),
      { partitions: 'region=/dt=' },
      ['region=eu/dt=2024-03-06', 'region=us/dt=2024-03-06'],
    ],
    [
      'takes all 24 hours of a compact date',
      shardsIn(
        ...Array.from({ length: 24 }, (_, hour) => `date=20240304/hour=${String(hour).padStart(2, '0')}`),
      ),
      { partitions: 'date=%Y%m%d/hour=%H' },
      Array.from({ length: 24 }, (_, hour) => `date=20240304/hour=${String(hour).padStart(2, '0')}`),
    ],
    [
      'passes over a day without its marker, whatever has landed of it',
      [
        ...shardsIn('dt=2024-03-04', 'dt=2024-03-05'),
        'dt=2024-03-04/_SUCCESS',
        'dt=2024-03-05/_temporary/0/task_1/part-1.parquet',
      ],
      { completeness: { kind: 'marker' } },
      ['dt=2024-03-04'],
    ],
    [
      'passes over a day that one region has not finished',
      [
        ...shardsIn('region=eu/dt=2024-03-05', 'region=us/dt=2024-03-05', 'region=us/dt=2024-03-04'),
        'region=eu/dt=2024-03-05/_SUCCESS',
        'region=us/dt=2024-03-04/_SUCCESS',
      ],
      { partitions: 'region=/dt=', completeness: { kind: 'marker' } },
      ['region=us/dt=2024-03-04'],
    ],
    [
      'passes over a day with too few shards, whatever else lies there',
      [
        ...['a.pq', 'b.pq', 'notes.txt'].map((file) => `dt=2024-03-05/${file}`),
        ...['a.pq', 'b.pq', 'c.pq'].map((file) => `dt=2024-03-04/${file}`),
      ],
      { completeness: { kind: 'shards', count: 3 } },
      ['dt=2024-03-04'],
    ],
    [
      'passes over today, one shard of which has landed',
      shardsIn('dt=2024-03-07', 'dt=2024-03-06'),
      {},
      ['dt=2024-03-06'],
    ],
    [
      'takes today when its marker says that it is complete',
      [...shardsIn('dt=2024-03-07', 'dt=2024-03-06'), 'dt=2024-03-07/_SUCCESS'],
      { completeness: { kind: 'marker' } },
      ['dt=2024-03-07'],
    ],
    [
      'passes over the hours of today, each complete in itself',
      [
        ...shardsIn('dt=2024-03-07/hour=1', 'dt=2024-03-06/hour=1'),
        'dt=2024-03-07/hour=1/_SUCCESS',
        'dt=2024-03-06/hour=1/_SUCCESS',
      ],
      { partitions: 'dt=/hour=', completeness: { kind: 'marker' } },
      ['dt=2024-03-06/hour=1'],
    ],
    [
      'takes days to come when the job allows them',
      shardsIn('dt=2024-03-09', 'dt=2024-03-06'),
      { newest: { allowFuture: true } },
      ['dt=2024-03-09'],
    ],
  ])('%s', async (_, files, job, expected) => {
    expect((await newest(files, job)).chosen).toEqual(expected);
  });

  it("goes by the job's clock: a day is over in Tokyo before it is over in UTC", async () => {
    const files = shardsIn('dt=2024-03-07', 'dt=2024-03-06');
    const evening = Date.parse('2024-03-07T15:30:00Z');
    expect((await newest(files, { timeZone: 'Asia/Tokyo' }, evening)).chosen).toEqual(['dt=2024-03-07']);
    expect((await newest(files, { timeZone: 'UTC' }, evening)).chosen).toEqual(['dt=2024-03-06']);
  });

  it('waits until nothing has landed for the quiet time, and no longer', async () => {
    const input = inputOf(...shardsIn('dt=2024-03-06', 'dt=2024-03-05'));
    const landed = (partition: string, minutesAgo: number) =>
      utimesSync(join(input, partition, 'part-0.parquet'), NOON / 1000, NOON / 1000 - 60 * minutesAgo);
    landed('dt=2024-03-05', 600);
    landed('dt=2024-03-06', 29);
    const job = { completeness: { kind: 'quiet', minutes: 30 } };
    const early = await choose(input, job, { kind: 'newest' });
    expect(early.chosen).toEqual(['dt=2024-03-05']);
    expect(early.skipped).toEqual([
      { name: 'dt=2024-03-06', reason: 'dt=2024-03-06: quiet for 29 of 30 minutes' },
    ]);
    landed('dt=2024-03-06', 30);
    expect((await choose(input, job, { kind: 'newest' })).chosen).toEqual(['dt=2024-03-06']);
  });

  it('says of everything that it passed over why', async () => {
    const { skipped } = await newest(
      [...shardsIn('dt=2024-03-04', 'dt=test', 'dt=9999-12-31', 'dt=2024-03-07', 'old'), '_temporary/x'],
      {},
    );
    expect(skipped).toEqual([
      { name: '_temporary', reason: 'hidden' },
      { name: 'dt=test', reason: "'test' is not of the form %Y-%m-%d" },
      { name: 'old', reason: 'not named dt=...' },
      { name: 'dt=9999-12-31', reason: 'in the future: it is 2024-03-07 in UTC' },
      { name: 'dt=2024-03-07', reason: 'not over yet: it is 2024-03-07 in UTC' },
    ]);
  });

  it('looks back no further than the job says, and tells what it found instead', async () => {
    const files = shardsIn('dt=2024-03-03', 'dt=test');
    expect((await newest(files, { newest: { lookBackDays: 4 } })).chosen).toEqual(['dt=2024-03-03']);
    await expect(newest(files, { newest: { lookBackDays: 3 } })).rejects.toMatchObject({
      code: 'PLAN_NO_PARTITION',
      expected: 'a complete day of the layout dt=%Y-%m-%d since 2024-03-04',
      found: "dt=test ('test' is not of the form %Y-%m-%d)",
    });
  });

  it('needs a layout that names a day', async () => {
    await expect(newest(shardsIn('region=eu'), { partitions: 'region=' })).rejects.toMatchObject({
      code: 'PLAN_NO_PARTITION',
      found: 'the layout region=',
    });
  });
});

describe('an input that is not there', () => {
  it.each([
    { kind: 'newest' },
    { kind: 'one', partition: 'dt=2024-03-05' },
    { kind: 'dates', from: '2024-03-01', to: '2024-03-05' },
  ] as const)(
    'is told as that, and where relative paths start, and not as a missing partition: $kind',
    async (choice) => {
      const error = {
        code: 'PLAN_NO_PARTITION',
        found: expect.stringMatching(/^no such input; relative paths/),
      };
      const gone = join(inputOf(...shardsIn('dt=2024-03-05')), 'gone');
      await expect(choose(gone, {}, choice)).rejects.toMatchObject(error);
      await expect(choose(gone, { partitions: 'none' }, { kind: 'newest' })).rejects.toMatchObject(error);
    },
  );
});

describe('a range of days', () => {
  it('takes the days in it, names those without a partition, and is not stopped by what lies beside it', async () => {
    const files = shardsIn(
      'dt=2024-02-28',
      'dt=2024-03-02',
      'dt=2024-03-05',
      'dt=__HIVE_DEFAULT_PARTITION__',
    );
    const range = { kind: 'dates', from: '2024-02-28', to: '2024-03-04' } as const;
    const { chosen, skipped, missingDays } = await choose(inputOf(...files), {}, range);
    expect(chosen).toEqual(['dt=2024-02-28', 'dt=2024-03-02']);
    expect(missingDays).toEqual(['2024-02-29', '2024-03-01']);
    expect(skipped.map(({ name }) => name)).toEqual(['dt=__HIVE_DEFAULT_PARTITION__']);
  });

  it('is found below other keys and in compact dates', async () => {
    const files = shardsIn('region=eu/date=20240303', 'region=us/date=20240304', 'region=us/date=20240305');
    const job = { partitions: 'region=/date=%Y%m%d' };
    const range = { kind: 'dates', from: '2024-03-03', to: '2024-03-04' } as const;
    expect((await choose(inputOf(...files), job, range)).chosen).toEqual([
      'region=eu/date=20240303',
      'region=us/date=20240304',
    ]);
  });

  it('that is empty is refused with what was there', async () => {
    const range = { kind: 'dates', from: '2024-04-01', to: '2024-04-02' } as const;
    await expect(choose(inputOf(...shardsIn('dt=2024-03-04', 'dt=x')), {}, range)).rejects.toMatchObject({
      code: 'PLAN_NO_PARTITION',
      expected: 'days from 2024-04-01 to 2024-04-02',
      found: "dt=x ('x' is not of the form %Y-%m-%d)",
    });
  });

  it('that has no days says which it was asked for: open ends as such, ends in the wrong order as those', async () => {
    const asked = [
      [dayRange('2024-04-01'), 'days from 2024-04-01 on', 'none in that range'],
      [dayRange(undefined, '2024-02-01'), 'days up to 2024-02-01', 'none in that range'],
      [
        dayRange('2024-03-05', '2024-03-03'),
        'days from 2024-03-05 to 2024-03-03, the later one last',
        'a range that ends before it begins',
      ],
    ] as const;
    for (const [range, expected, found] of asked) {
      await expect(
        choose(inputOf(...shardsIn('dt=2024-03-04')), {}, { kind: 'dates', ...range }),
      ).rejects.toMatchObject({ code: 'PLAN_NO_PARTITION', expected, found });
    }
  });
});

describe('listing', () => {
  it('costs a request per page of folders of a level, none in partitions and none in years outside of the range', async () => {
    const days = ['year=2023/month=1/day=1', 'year=2023/month=2/day=1', 'year=2024/month=3/day=4'];
    const files = days.flatMap((day) =>
      Array.from({ length: 9 }, (_, index) => `${day}/part-${index}.parquet`),
    );
    const uri = `s3://${s3.bucket}/pruned`;
    await putFolder(inputOf(...files), uri);
    const before = s3.double!.requests.length;
    const range = { kind: 'dates', from: '2024-03-01', to: '2024-03-31' } as const;
    const { chosen } = await choose(uri, { partitions: 'year=/month=/day=' }, range);
    expect(chosen).toEqual(['year=2024/month=3/day=4']);
    const lists = s3.double!.requests.slice(before).map(({ query }) => query.get('prefix'));
    expect(lists).toEqual(['pruned/', 'pruned/year=2024/', 'pruned/year=2024/month=3/']);
  });

  test.each([
    ['a Delta table', '_delta_log/00000000000000000000.json'],
    ['a Hudi table', '.hoodie/hoodie.properties'],
    ['an Iceberg table', 'metadata/v1.metadata.json'],
  ])('refuses %s', async (kind, file) => {
    const input = inputOf(...shardsIn('dt=2024-03-04'), file);
    await expect(choose(input, {}, { kind: 'one', partition: 'dt=2024-03-04' })).rejects.toMatchObject({
      code: 'INPUT_IS_TABLE',
    });
    await expect(choose(input, {}, { kind: 'newest' })).rejects.toMatchObject({
      code: 'INPUT_IS_TABLE',
      found: expect.stringContaining(kind),
    });
  });

  it('takes a folder called metadata that is no table for what it is', async () => {
    const { chosen, skipped } = await newest([...shardsIn('dt=2024-03-04'), 'metadata/readme.txt']);
    expect(chosen).toEqual(['dt=2024-03-04']);
    expect(skipped).toEqual([{ name: 'metadata', reason: 'not named dt=...' }]);
  });
});

describe('one partition', () => {
  it('is taken by its name, complete or not', async () => {
    const input = inputOf(...shardsIn('dt=2024-03-07'));
    const choice = { kind: 'one', partition: 'dt=2024-03-07' } as const;
    expect((await choose(input, { completeness: { kind: 'marker' } }, choice)).chosen).toEqual([
      'dt=2024-03-07',
    ]);
  });

  test.each([
    ['dt=2024-03-08', 'no such folder'],
    ['dt=2024-03-07/hour=1', 'dt=2024-03-07/hour=1: 2 folders, where the layout has 1'],
    ['../dt=2024-03-07', '../dt=2024-03-07: 2 folders, where the layout has 1'],
    ['dt=tomorrow', "dt=tomorrow: 'tomorrow' is not of the form %Y-%m-%d"],
  ])('%s is refused: %s', async (partition, found) => {
    const choice = { kind: 'one', partition } as const;
    await expect(choose(inputOf(...shardsIn('dt=2024-03-07')), {}, choice)).rejects.toMatchObject({
      code: 'PLAN_NO_PARTITION',
      found,
    });
  });
});

describe('the partition of an object', () => {
  const layout = parsePartitionLayout('dt=/hour=');
  test.each([
    ['dt=2024-03-04/hour=7/a.parquet', { partition: 'dt=2024-03-04/hour=7' }],
    ['dt=2024-03-04/hour=7/deeper/a', { partition: 'dt=2024-03-04/hour=7' }],
    ['dt=2024-03-04/a.parquet', { reason: '1 folders, where the layout has 2' }],
    ['dt=x/hour=7/a.parquet', { reason: "'x' is not of the form %Y-%m-%d" }],
  ])('%s', (path, expected) => {
    expect(partitionOf('s3://b/in/', layout, joinUri('s3://b/in', path))).toEqual(expected);
  });

  it('outside of the input root is none', () => {
    expect(partitionOf('s3://b/in', layout, 's3://b/input/dt=2024-03-04/hour=7/a')).toEqual({
      reason: 'outside of s3://b/in',
    });
  });
});
