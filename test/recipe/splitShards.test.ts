import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parsePartitionLayout } from '../../lib/job/partitionLayout.ts';
import { withJobSplit } from '../../lib/recipe/jobSplit.ts';
import { readShardRows, type ShardRows, splitShards } from '../../lib/recipe/splitShards.ts';
import type { SplitConfig } from '../../lib/recipe/trainingConfig.ts';
import { hasSharedData, sharedData } from '../parquet/memoryFile.ts';
import { writeShard } from '../parquet/sampleShards.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const folder = temporaryFolder();
let folders = 0;

/** Shards with an `id` from 0 on, counted over the files in the order given, in row groups of 10. */
function writeShards(rowsByPath: Readonly<Record<string, number>>): string {
  const root = join(folder, `data-${folders++}`);
  let id = 0;
  for (const [path, rows] of Object.entries(rowsByPath)) {
    mkdirSync(join(root, path, '..'), { recursive: true });
    const data = Array.from({ length: rows }, () => BigInt(id++));
    writeFileSync(join(root, path), writeShard([{ name: 'id', type: 'INT64', data }], { rowGroupSize: 10 }));
  }
  return root;
}

async function idsOf(parts: readonly ShardRows[]): Promise<number[]> {
  const ids: number[] = [];
  const wanted = { column: 'id', required: true, accepts: () => true, expected: 'a number' };
  for await (const { batch } of readShardRows(parts, [wanted])) {
    for (const id of batch.getChild('id')!) ids.push(Number(id));
  }
  return ids;
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
const day = (from: string, to = from) => ({ from: `2024-03-${from}`, to: `2024-03-${to}` });

describe('a split by date', () => {
  it('takes whole partitions, both ends included, several files each, and no other partition', async () => {
    const root = writeShards({
      'dt=2024-02-29/part-0.parquet': 5,
      'dt=2024-03-01/part-0.parquet': 25,
      'dt=2024-03-01/part-1.parquet': 3,
      'dt=2024-03-02/part-0.parquet': 10,
      'dt=2024-03-03/part-0.parquet': 4,
      'dt=2024-03-04/part-0.parquet': 6,
    });
    const split = await splitShards(root, { by: 'date', train: day('01', '02'), validation: day('03') });
    expect(await idsOf(split.training)).toEqual(range(5, 43));
    expect(await idsOf(split.validation)).toEqual(range(43, 47));
    expect(split).toMatchObject({
      trainingText: 'dt=2024-03-01 to dt=2024-03-02',
      validationText: 'dt=2024-03-03 to dt=2024-03-03',
    });
  });

  it('goes by the innermost dt= folder', async () => {
    const root = writeShards({
      'dt=2024-01-01/copy/dt=2024-03-01/part-0.parquet': 2,
      'dt=2024-01-01/copy/dt=2024-03-02/part-0.parquet': 3,
    });
    const data = join(root, 'dt=2024-01-01', 'copy');
    const split = await splitShards(data, { by: 'date', train: day('01'), validation: day('02') });
    expect(await idsOf(split.training)).toEqual([0, 1]);
    expect(await idsOf(split.validation)).toEqual([2, 3, 4]);
  });

  it('without rows on one side is an error that lists the partitions there are, or says that theirs are without rows', async () => {
    const root = writeShards({ 'dt=2024-03-01/a.parquet': 5, 'dt=2024-03-02/a.parquet': 0 });
    for (const [empty, found] of [
      [day('02'), '1 of these shards, without a row'],
      [day('05', '09'), '2024-03-01, 2024-03-02'],
    ] as const) {
      const sides = [
        { train: day('01'), validation: empty },
        { train: empty, validation: day('01') },
      ];
      for (const split of sides) {
        await expect(splitShards(root, { by: 'date', ...split })).rejects.toMatchObject({
          code: 'TRAINING_SPLIT_EMPTY',
          found,
        });
      }
    }
  });

  it('of a shard outside date partitions is an error that names it', async () => {
    const root = writeShards({ 'dt=2024-03-01/a.parquet': 5, 'other/b.parquet': 5 });
    await expect(
      splitShards(root, { by: 'date', train: day('01'), validation: day('02') }),
    ).rejects.toMatchObject({
      code: 'TRAINING_NO_DATE',
      location: { file: join(root, 'other', 'b.parquet') },
    });
  });
});

describe('a split by date of another layout', () => {
  const train = { from: '2024-03-01', to: '2024-03-02' };
  const validation = { from: '2024-03-03', to: '2024-03-03' };

  it.each([
    ['date=%Y%m%d', ['date=20240301', 'date=20240302', 'date=20240303', 'date=20240304']],
    ['dt=%Y%m%d', ['dt=20240301', 'dt=20240302', 'dt=20240303', 'dt=20240304']],
    [
      'year=/month=/day=',
      [
        'year=2024/month=3/day=1',
        'year=2024/month=03/day=02',
        'year=2024/month=3/day=3',
        'year=2024/month=10/day=1',
      ],
    ],
    [
      'region=/dt=',
      [
        'region=eu/dt=2024-03-01',
        'region=eu/dt=2024-03-02',
        'region=us/dt=2024-03-03',
        'region=us/dt=2024-03-04',
      ],
    ],
    [
      'dt=/hour=',
      ['dt=2024-03-01/hour=9', 'dt=2024-03-02/hour=10', 'dt=2024-03-03/hour=00', 'dt=2024-03-04/hour=1'],
    ],
  ])('%s takes the days that the folders name', async (partitions, folders) => {
    const shards = folders.map((name, index): [string, number] => [`${name}/p.parquet`, index + 1]);
    const root = writeShards(Object.fromEntries(shards));
    const split = await splitShards(root, { by: 'date', partitions, train, validation });
    expect((await idsOf(split.training)).sort((a, b) => a - b)).toEqual([0, 1, 2]);
    expect(await idsOf(split.validation)).toEqual([3, 4, 5]);
    expect(split).toMatchObject({
      trainingText: `2024-03-01 to 2024-03-02 of ${partitions}`,
      validationText: `2024-03-03 to 2024-03-03 of ${partitions}`,
      notes: [],
    });
  });

  it('is refused for shards that lie in no such folder', async () => {
    const root = writeShards({ 'date=20240301/a.parquet': 5, 'date=20240302/a.parquet': 5 });
    const split = splitShards(root, { by: 'date', partitions: 'date=%Y%m%d/hour=%H', train, validation });
    await expect(split).rejects.toMatchObject({ code: 'TRAINING_NO_DATE' });
  });
});

describe('what is odd about the days of a split', () => {
  it('is noted: partitions whose names say no day, and days of a range without a partition', async () => {
    const root = writeShards({
      'README.md': 1,
      'dt=2024-03-02/a.parquet': 4,
      'dt=2024-03-05/a.parquet': 0,
      'dt=2024-03-07/a.parquet': 3,
      'dt=2024-03-10/a.parquet': 2,
      'dt=2024-3-3/a.parquet': 1,
      'dt=__HIVE_DEFAULT_PARTITION__/a.parquet': 7,
      'dt=__HIVE_DEFAULT_PARTITION__/b.parquet': 7,
    });
    writeFileSync(join(root, 'README.md'), 'no shard');
    const split = await splitShards(root, {
      by: 'date',
      train: day('01', '08'),
      validation: day('10', '11'),
    });
    expect(await idsOf(split.training)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(await idsOf(split.validation)).toEqual([8, 9]);
    const missing = '2024-03-01, 2024-03-03 to 2024-03-04, 2024-03-06, 2024-03-08';
    expect(split.notes).toEqual([
      '1 file that is no Parquet shard was left out',
      "partition dt=2024-3-3 is part of no range: '2024-3-3' is not of the form %Y-%m-%d",
      "partition dt=__HIVE_DEFAULT_PARTITION__ is part of no range: '__HIVE_DEFAULT_PARTITION__' is not of the form %Y-%m-%d",
      `there is no partition of ${missing} for training`,
      'there is no partition of 2024-03-11 for validation',
    ]);
    expect(split.trainingText).toBe(`dt=2024-03-01 to dt=2024-03-08 without ${missing}`);
    expect(split.validationText).toBe('dt=2024-03-10 to dt=2024-03-11 without 2024-03-11');
  });

  it('is told in a few words, however long the range', async () => {
    const root = writeShards({ 'dt=2024-03-01/a.parquet': 5, 'dt=9999-12-31/a.parquet': 5 });
    const split = await splitShards(root, {
      by: 'date',
      train: { from: '0001-01-01', to: '2024-03-01' },
      validation: { from: '2024-03-02', to: '9999-12-31' },
    });
    expect(split.notes).toEqual([
      'there is no partition of 0001-01-01 to 2024-02-29 for training',
      'there is no partition of 2024-03-02 to 9999-12-30 for validation',
    ]);
  });

  it.skipIf(!hasSharedData)('is the same for days that others have lost or made', async () => {
    const of = (kind: string) => {
      const root = join(sharedData, 'nights', 'train', kind);
      const { split } = JSON.parse(readFileSync(join(root, 'config.json'), 'utf8')) as { split: SplitConfig };
      return splitShards(join(root, 'data'), split);
    };
    expect((await of('gap')).notes).toEqual(['there is no partition of 2024-03-02 for training']);
    expect((await of('null-dt')).notes).toEqual([
      expect.stringMatching(/^partition dt=__HIVE_DEFAULT_PARTITION__ is part of no range: /),
    ]);
  });
});

it.skipIf(!hasSharedData)(
  "a split of a Delta table's live files has its 1,000 rows, its folder is refused",
  async () => {
    const table = join(sharedData, 'nights', 'delta-table');
    const half = { by: 'fraction', validation: 0.5 } as const;
    await expect(splitShards(table, half)).rejects.toMatchObject({ code: 'INPUT_IS_TABLE' });
    const live = 'dt=2024-03-04/part-00000-c21b3e10-7ea6-403e-aa39-2dd0962e32f6-c000.zstd.parquet';
    const list = join(folder, 'live.txt');
    writeFileSync(list, join(table, live));
    const { training, validation } = await splitShards({ filesUri: list }, half);
    expect([training[0]!.rowEnd, validation[0]!.rowStart, validation[0]!.rowEnd]).toEqual([500, 500, 1000]);
  },
);

it('rows are read of the version that was listed, or not at all', async () => {
  const root = writeShards({ 'a.parquet': 30, 'b.parquet': 5 });
  const { training } = await splitShards(root, { by: 'fraction', validation: 0.1 });
  const other = writeShards({ 'b.parquet': 5 });
  copyFileSync(join(other, 'b.parquet'), join(root, 'a.parquet'));
  await expect(idsOf(training)).rejects.toMatchObject({ code: 'STORAGE_FILE_CHANGED' });
});

describe('a split by fraction', () => {
  const files = { 'a.parquet': 25, 'b.parquet': 0, 'c.parquet': 7, 'd.parquet': 18 };

  it.each([
    ['inside a row group', 0.3, 35],
    ['between two files', 0.36, 32],
    ['in the first file', 0.9, 5],
    ['one row before the end', 0.02, 49],
  ])(
    '%s: validation has the last rows, and no row is lost or used twice',
    async (_title, validation, boundary) => {
      const split = await splitShards(writeShards(files), { by: 'fraction', validation });
      expect(await idsOf(split.training)).toEqual(range(0, boundary));
      expect(await idsOf(split.validation)).toEqual(range(boundary, 50));
      expect(split.trainingText).toBe(`the first ${boundary} rows`);
      expect(split.validationText).toBe(`the last ${50 - boundary} rows`);
    },
  );

  it('of a single file works, and of too few rows is an error', async () => {
    const root = writeShards({ 'a.parquet': 4, 'b.parquet': 1 });
    const split = await splitShards(join(root, 'a.parquet'), { by: 'fraction', validation: 0.5 });
    expect([await idsOf(split.training), await idsOf(split.validation)]).toEqual([
      [0, 1],
      [2, 3],
    ]);
    for (const validation of [0.2, 0.8]) {
      await expect(
        splitShards(join(root, 'b.parquet'), { by: 'fraction', validation }),
      ).rejects.toMatchObject({ code: 'TRAINING_SPLIT_EMPTY' });
    }
  });
});

describe('names of the shards that count', () => {
  const shards = {
    'dt=2024-03-01/part-0.parquet': 5,
    'dt=2024-03-01/extra.parquet': 7,
    'dt=2024-03-02/part-0.parquet': 3,
    'dt=2024-03-02/sub/part-1.parquet': 4,
  };

  it('are paths below their partition in a split by date; others are left out with a note', async () => {
    const days = { by: 'date', train: day('01'), validation: day('02') } as const;
    const split = await splitShards(writeShards(shards), { ...days, shardPattern: 'part-*' });
    expect(await idsOf(split.training)).toEqual(range(0, 5));
    expect(await idsOf(split.validation)).toEqual(range(12, 15));
    expect(split.notes).toEqual([
      'shards not named part-* were left out: 2, such as dt=2024-03-01/extra.parquet',
    ]);
  });

  it('are paths below the folder in a split by fraction', async () => {
    const split = await splitShards(writeShards(shards), {
      ...{ by: 'fraction', validation: 0.25 },
      shardPattern: '*/part-0.parquet',
    });
    expect([...(await idsOf(split.training)), ...(await idsOf(split.validation))]).toEqual([
      ...range(0, 5),
      ...range(12, 15),
    ]);
    expect(split.notes).toEqual([
      'shards not named */part-0.parquet were left out: 2, such as dt=2024-03-01/extra.parquet',
    ]);
  });
});

describe('a split that a job document completes', () => {
  const job = { layout: parsePartitionLayout('date=%Y%m%d/hour='), shardPattern: 'part-*' };
  const split = { by: 'date', train: day('01'), validation: day('02') };

  it("has the job's partitions and names of shards; a split by fraction the names alone", () => {
    expect(withJobSplit({ labels: 1, split }, job, 'config.json')).toEqual({
      labels: 1,
      split: { ...split, partitions: 'date=%Y%m%d/hour=', shardPattern: 'part-*' },
    });
    const byFraction = { by: 'fraction', validation: 0.2 };
    expect(withJobSplit({ split: byFraction }, job, 'config.json')).toEqual({
      split: { ...byFraction, shardPattern: 'part-*' },
    });
  });

  it('may say the same as the job, and is refused where it says otherwise', () => {
    const same = { split: { ...split, partitions: 'date=%Y%m%d/hour=', shardPattern: 'part-*' } };
    expect(withJobSplit(same, job, 'config.json')).toEqual(same);
    const other = { split: { ...split, partitions: 'dt=', shardPattern: '*' } };
    expect(() => withJobSplit(other, job, 'config.json')).toThrow(
      expect.objectContaining({
        code: 'TRAINING_CONFIG_INVALID',
        problems: [
          'split.partitions: "dt=", where the job says "date=%Y%m%d/hour="',
          'split.shardPattern: "*", where the job says "part-*"',
        ],
      }),
    );
  });
});
