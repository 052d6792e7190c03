import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readShardRows, type ShardRows, splitShards } from '../../lib/recipe/splitShards.ts';
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

  it('without rows on one side is an error that lists the partitions there are', async () => {
    const root = writeShards({ 'dt=2024-03-01/a.parquet': 5, 'dt=2024-03-02/a.parquet': 0 });
    for (const empty of [day('02'), day('05', '09')]) {
      const sides = [
        { train: day('01'), validation: empty },
        { train: empty, validation: day('01') },
      ];
      for (const split of sides) {
        await expect(splitShards(root, { by: 'date', ...split })).rejects.toMatchObject({
          code: 'TRAINING_SPLIT_EMPTY',
          found: '2024-03-01, 2024-03-02',
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
