import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { UnreadableFiles } from '../../lib/base/unreadableFiles.ts';
import { lastMappedRun, type MappedUnit, unitsOfRun } from '../../lib/report/mapResults.ts';
import { writeWhole } from '../../lib/storage/openStorage.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const folder = temporaryFolder();
const pause = () => new Promise((resolve) => setTimeout(resolve, 20));
const noneUnreadable = new UnreadableFiles();
afterAll(() => expect(noneUnreadable.problems).toEqual([]));

/** As the score function is asked for it; what a report doesn't read stands for the rest. */
const unit = (partition: string, ...rows: number[]) => unitFrom(partition, 0, ...rows);
const unitFrom = (partition: string, firstPart: number, ...rows: number[]) => ({
  ...{
    formatVersion: 4,
    root: 's3://b/scores',
    modelUri: 's3://b/m',
    model: {},
    partition,
    inputUri: 's3://b/f',
  },
  parts: rows.map((count, index) => ({ partId: `part-${firstPart + index}`, rows: count, spans: [] })),
});
const result = (name: string, input: object, start: string, stop: string, more: object = {}) => ({
  ...{ ExecutionArn: `arn:${name}`, Name: name, Input: JSON.stringify(input), Status: 'SUCCEEDED' },
  ...{ StartDate: `2024-03-09T${start}.000Z`, StopDate: `2024-03-09T${stop}.000Z`, Output: '{}' },
  ...more,
});
const write = (root: string, path: string, document: unknown) =>
  writeWhole(join(root, 'runs', path), new TextEncoder().encode(JSON.stringify(document)));

describe('units of the state machine', () => {
  it("are those of the partition's last run, in the order in which they began, failed ones with their reason", async () => {
    const root = join(folder, 'several');
    await write(root, 'old/map-1/SUCCEEDED_0.json', [
      result('former', unit('dt=a', 5), '01:00:00', '01:00:09'),
    ]);
    await pause();
    await write(root, 'new/map-2/manifest.json', { DestinationBucket: 'b', ResultFiles: {} });
    await write(root, 'new/map-2/SUCCEEDED_0.json', [
      result('second', unit('dt=a', 10, 20), '02:00:05', '02:01:05'),
      result('other', unit('dt=b', 40), '02:00:00', '02:00:30'),
    ]);
    await write(root, 'new/map-2/FAILED_0.json', [
      result('first', unitFrom('dt=a', 2, 7), '02:00:00', '02:00:02', {
        Error: 'States.Timeout',
        Cause: 'too long',
      }),
    ]);
    const last = await lastMappedRun(root, 'dt=a', noneUnreadable);
    expect([last?.name, last?.parts.map(({ rows }) => rows)]).toEqual(['new', [7, 10, 20]]);
    expect(last?.units).toEqual([
      {
        ...{
          name: 'first',
          rows: 7,
          partIds: ['part-2'],
          isFailed: true,
          problem: 'States.Timeout: too long',
          usage: null,
        },
        ...{ startMillis: Date.parse('2024-03-09T02:00:00Z'), endMillis: Date.parse('2024-03-09T02:00:02Z') },
      },
      {
        ...{
          name: 'second',
          rows: 30,
          partIds: ['part-0', 'part-1'],
          isFailed: false,
          problem: null,
          usage: null,
        },
        ...{ startMillis: Date.parse('2024-03-09T02:00:05Z'), endMillis: Date.parse('2024-03-09T02:01:05Z') },
      },
    ]);
    expect((await lastMappedRun(root, 'dt=b', noneUnreadable))!.units.map(({ name }) => name)).toEqual([
      'other',
    ]);
  });

  it('have failed by the name of their file alone, not by that of a run', async () => {
    const root = join(folder, 'named');
    await write(root, 'after-FAILED_1/map/SUCCEEDED_0.json', [
      result('a', unit('dt=a', 5), '01:00:00', '01:00:09'),
    ]);
    const [done] = (await lastMappedRun(root, 'dt=a', noneUnreadable))!.units;
    expect([done!.isFailed, done!.problem]).toEqual([false, null]);
  });

  it('that a redrive has run again count once, as they ended last, and so do their parts', async () => {
    const root = join(folder, 'redriven');
    const failed = { Error: 'States.Timeout', Cause: 'too long', Status: 'FAILED', Output: undefined };
    const usage = { gigabyteSeconds: 3, calls: 1 };
    const parts = unit('dt=a', 10, 20);
    // The attempt's file stays where the redrive's is written, and is written anew with what has failed again.
    await write(root, 'run/map/FAILED_0.json', [
      result('again', parts, '02:00:00', '02:00:09', failed),
      result('never', unitFrom('dt=a', 2, 5), '02:00:01', '02:00:09', failed),
    ]);
    await write(root, 'run/map/FAILED_1.json', [
      result('never', unitFrom('dt=a', 2, 5), '02:00:01', '05:00:09', failed),
    ]);
    await pause();
    await write(root, 'run/map/SUCCEEDED_0.json', [
      result('again', parts, '02:00:00', '05:00:30', { Output: JSON.stringify({ usage }) }),
    ]);
    // Another map run's units have names of their own, which may be the same.
    await write(root, 'run/other/SUCCEEDED_0.json', [
      result('again', unit('dt=b', 7), '02:00:00', '02:00:09', { Output: JSON.stringify({ usage }) }),
    ]);
    const last = (await lastMappedRun(root, 'dt=a', noneUnreadable))!;
    const short = ({ name, isFailed, rows, endMillis }: MappedUnit) => [
      name,
      isFailed,
      rows,
      new Date(endMillis).toISOString().slice(11, 19),
    ];
    expect(last.units.map(short)).toEqual([
      ['again', false, 30, '05:00:30'],
      ['never', true, 5, '05:00:09'],
    ]);
    expect(last.parts.map(({ partId }) => partId)).toEqual(['part-0', 'part-1', 'part-2']);
    expect((await unitsOfRun(root, 'run'))!.map(({ usage: of }) => of?.calls ?? null).sort()).toEqual([
      1,
      1,
      null,
    ]);
  });

  it('whose parts another unit of the run was asked for as well are several, and the parts count once', async () => {
    const root = join(folder, 'twice');
    await write(root, 'run/map/SUCCEEDED_0.json', [
      result('one', unit('dt=a', 10), '02:00:00', '02:00:09'),
      result('two', unit('dt=a', 10, 20), '02:00:01', '02:00:09'),
    ]);
    const last = (await lastMappedRun(root, 'dt=a', noneUnreadable))!;
    expect(last.units.map(({ name }) => name)).toEqual(['one', 'two']);
    expect(last.parts.map(({ rows }) => rows)).toEqual([10, 20]);
  });

  it('of a run are those of all its partitions, with what their calls have taken where they say so', async () => {
    const root = join(folder, 'run');
    const usage = { gigabyteSeconds: 1.5, calls: 2 };
    const Output = JSON.stringify({ rowsScored: 5, usage });
    await write(root, 'mine/map-1/SUCCEEDED_0.json', [
      result('a', unit('dt=a', 5), '01:00:00', '01:00:09', { Output }),
    ]);
    await write(root, 'mine/map-2/SUCCEEDED_0.json', [
      result('b', unit('dt=b', 6), '01:00:00', '01:00:09'),
      result('c', unit('dt=b', 6), '01:00:00', '01:00:09', { Output: '{"usage":{"calls":"two"}}' }),
    ]);
    await write(root, 'theirs/map/SUCCEEDED_0.json', [
      result('d', unit('dt=a', 5), '01:00:00', '01:00:09', { Output }),
    ]);
    const units = (await unitsOfRun(root, 'mine'))!.map(({ name, usage: of }) => [name, of] as const);
    expect(new Map(units)).toEqual(
      new Map([
        ['a', usage],
        ['b', null],
        ['c', null],
      ]),
    );
    expect(await unitsOfRun(root, 'nobody')).toEqual([]);
  });

  it('of a file that is damaged are left out and the file is named, those of other files are not', async () => {
    const root = join(folder, 'damaged');
    await write(root, 'run/map/SUCCEEDED_0.json', [result('whole', unit('dt=a', 5), '01:00:00', '01:00:09')]);
    await writeWhole(join(root, 'runs/run/map/SUCCEEDED_1.json'), new TextEncoder().encode('[{"Name": "cut'));
    await write(root, 'run/map/FAILED_0.json', [
      { ...result('undated', unit('dt=a', 5), '01:00:00', '01:00:09'), StopDate: 'soon' },
    ]);
    const unreadable = new UnreadableFiles();
    const last = await lastMappedRun(root, 'dt=a', unreadable);
    expect(last!.units.map(({ name }) => name)).toEqual(['whole']);
    expect([...unreadable.problems].sort()).toEqual([
      expect.stringMatching(/^PUBLISH_DOCUMENT_INVALID: \S*FAILED_0\.json: .*\s.*0\.StopDate/),
      expect.stringMatching(/^PUBLISH_DOCUMENT_INVALID: \S*SUCCEEDED_1\.json: not JSON/),
    ]);
  });

  it('are none where there was no such run, and files of other maps or programs are passed over', async () => {
    const root = join(folder, 'others');
    expect(await lastMappedRun(root, 'dt=a', noneUnreadable)).toBeUndefined();
    await write(root, 'run/partitions.json', [unit('dt=a', 1)]);
    await write(root, 'run/map/SUCCEEDED_0.json', { not: 'a list' });
    await write(root, 'run/map/SUCCEEDED_1.json', [
      result('outer', { partition: 'dt=a' }, '01:00:00', '01:00:09'),
      { ...result('text', {}, '01:00:00', '01:00:09'), Input: 'not JSON' },
    ]);
    expect(await lastMappedRun(root, 'dt=a', noneUnreadable)).toBeUndefined();
  });
});
