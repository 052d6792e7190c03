import { describe, expect, it } from 'vitest';
import { decodeRowGroups } from '../../lib/parquet/decodeRowGroups.ts';
import { openShard } from '../../lib/parquet/openShard.ts';
import { readRanges } from '../../lib/parquet/readRowGroup.ts';
import { type ReadRowGroupBytes, rowGroupReads } from '../../lib/parquet/rowGroupReads.ts';
import { memoryFile } from './memoryFile.ts';
import { overwritten, sampleShard, writeShard } from './sampleShards.ts';

const COLUMNS = ['city', 'id', 'price'];

async function readAll(bytes: Uint8Array, uri: string, columns = COLUMNS): Promise<ReadRowGroupBytes[]> {
  const shard = await openShard(memoryFile(bytes, uri));
  return Promise.all(
    [...shard.rowGroups.keys()].map(async (rowGroup) => {
      const reads = rowGroupReads(shard, rowGroup, columns);
      return { uri, reads, buffer: await readRanges(shard.file, reads) };
    }),
  );
}

const valuesOf = (batches: ReturnType<typeof decodeRowGroups>) =>
  batches.flatMap((batch) => batch.toArray().map((row) => row!.toJSON()));

describe('decodeRowGroups', () => {
  it('gives the rows of row groups of several shards in order, as each alone, from one call of the decoder', async () => {
    const rowGroups = [
      ...(await readAll(sampleShard(100, 40), 'a')),
      ...(await readAll(sampleShard(7, 3), 'b')),
    ];
    const together = decodeRowGroups(rowGroups);
    expect(together.map((batch) => batch.numRows)).toEqual([107]);
    expect(valuesOf(together)).toEqual(rowGroups.flatMap((alone) => valuesOf(decodeRowGroups([alone]))));
    expect(together[0]!.schema.fields.map(({ name }) => name)).toEqual(COLUMNS);
  });

  it('decodes shards of another schema apart', async () => {
    const other = writeShard([
      { name: 'price', type: 'INT32', data: [1, 2] },
      { name: 'city', type: 'STRING', data: ['x', 'y'] },
      { name: 'id', type: 'INT64', data: [5n, 6n] },
    ]);
    const rowGroups = [
      ...(await readAll(sampleShard(4, 4), 'a')),
      ...(await readAll(other, 'b')),
      ...(await readAll(sampleShard(3, 3), 'c')),
    ];
    const batches = decodeRowGroups(rowGroups);
    expect(batches.map((batch) => batch.numRows)).toEqual([4, 2, 3]);
    expect(valuesOf([batches[1]!])).toEqual([
      { city: 'x', id: 5n, price: 1 },
      { city: 'y', id: 6n, price: 2 },
    ]);
  });

  it('names the shard, row group and column at fault among good ones', async () => {
    const rowGroups = [
      ...(await readAll(sampleShard(20, 10), 'good')),
      ...(await readAll(sampleShard(20, 10), 'bad')),
      ...(await readAll(sampleShard(20, 10), 'behind')),
    ];
    const { reads, buffer } = rowGroups[3]!;
    const { startByte } = reads.columns[2]!.chunks[0]!;
    buffer.set(overwritten(buffer, startByte, new Uint8Array(8).fill(0xff)));
    expect(() => decodeRowGroups(rowGroups)).toThrowError(
      expect.objectContaining({
        code: 'SHARD_PAGE_CORRUPT',
        location: { file: 'bad', rowGroup: 1, column: 'price' },
      }),
    );
  });

  it('names the row group whose pages hold other rows than its footer says', async () => {
    const rowGroups = await readAll(sampleShard(30, 10), 'a');
    rowGroups[1] = { ...rowGroups[1]!, reads: { ...rowGroups[1]!.reads, rowCount: 11 } };
    expect(() => decodeRowGroups(rowGroups)).toThrowError(
      expect.objectContaining({
        code: 'SHARD_ROW_COUNT_MISMATCH',
        location: { file: 'a', rowGroup: 1 },
        expected: '11 rows',
        found: '10',
      }),
    );
  });
});
