import { describe, expect, it } from 'vitest';
import { openShard } from '../../lib/parquet/openShard.ts';
import { readRecordBatches } from '../../lib/parquet/readRecordBatches.ts';
import { memoryFile } from './memoryFile.ts';
import { plainRows } from './plainValues.ts';
import { sampleShard } from './sampleShards.ts';

describe('readRecordBatches', () => {
  it('yields every row once, in order, with its position in the shard', async () => {
    const shard = await openShard(memoryFile(sampleShard(100, 40)));
    const spans: number[][] = [];
    const ids: unknown[] = [];
    for await (const { rowGroup, rowStart, batch } of readRecordBatches(shard, ['id'], { batchRows: 25 })) {
      spans.push([rowGroup, rowStart, batch.numRows]);
      ids.push(...plainRows(batch).map(({ id }) => id));
    }
    expect(spans).toEqual([
      [0, 0, 25],
      [0, 25, 15],
      [1, 40, 25],
      [1, 65, 15],
      [2, 80, 20],
    ]);
    expect(ids).toEqual(Array.from({ length: 100 }, (_, row) => BigInt(row)));
  });

  it('yields the row groups asked for, in the order asked', async () => {
    const shard = await openShard(memoryFile(sampleShard(100, 40)));
    const starts: number[] = [];
    for await (const { rowStart } of readRecordBatches(shard, ['id'], { rowGroups: [2, 0] })) {
      starts.push(rowStart);
    }
    expect(starts).toEqual([80, 0]);
  });

  it('reads a row group only when the one before has been taken', async () => {
    const file = memoryFile(sampleShard(100, 40));
    const shard = await openShard(file);
    file.reads.length = 0;
    for await (const { rowGroup } of readRecordBatches(shard, ['id'])) {
      expect(file.reads).toHaveLength(rowGroup + 1);
      if (rowGroup === 1) break;
    }
    expect(file.reads).toHaveLength(2);
  });
});
