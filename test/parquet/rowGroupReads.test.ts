import { describe, expect, it } from 'vitest';
import { Ncs4cvrError } from '../../lib/base/errors.ts';
import type { FooterChunk } from '../../lib/parquet/parseFooter.ts';
import { type ReadableShard, rowGroupReads } from '../../lib/parquet/rowGroupReads.ts';
import { shardColumns } from '../../lib/parquet/shardColumns.ts';

/** Three columns of one row group: a at [4, 104) with its dictionary at 4 and data at 24, b at [104, 204), c at [304, 404). */
function readable(change: Partial<Record<'a' | 'b' | 'c', Partial<FooterChunk>>> = {}): ReadableShard {
  const chunk = (name: 'a' | 'b' | 'c', dataPageByte: number, dictionaryPageByte?: number): FooterChunk => ({
    isEncrypted: false,
    filePath: undefined,
    type: 'INT32',
    codec: 'ZSTD',
    valueCount: 10,
    uncompressedBytes: 150,
    compressedBytes: 100,
    dataPageByte,
    dictionaryPageByte,
    ...change[name],
  });
  const leaf = (name: string) => ({ name, type: 'INT32' as const, repetition_type: 'OPTIONAL' as const });
  return {
    uri: 'x.parquet',
    rowGroups: [{ rowStart: 0, rowCount: 10 }],
    columns: shardColumns([{ name: 'root', num_children: 3 }, ...['a', 'b', 'c'].map(leaf)]),
    chunks: [[chunk('a', 24, 4), chunk('b', 104), chunk('c', 304)]],
    dataEndByte: 500,
    unreadableColumns: new Map(),
  };
}

function planError(shard: ReadableShard, columns: string[], rowGroup = 0): Ncs4cvrError {
  try {
    rowGroupReads(shard, rowGroup, columns);
  } catch (error) {
    expect(error).toBeInstanceOf(Ncs4cvrError);
    return error as Ncs4cvrError;
  }
  throw new Error('rowGroupReads did not throw');
}

describe('rowGroupReads', () => {
  it('reads exactly the chunk of one column', () => {
    const reads = rowGroupReads(readable(), 0, ['c']);
    expect(reads.ranges).toEqual([{ startByte: 304, endByte: 404, targetByte: 0 }]);
    expect(reads.bufferBytes).toBe(100);
  });

  it('reads touching chunks in one range and leaves gaps out, whatever the order asked', () => {
    for (const columns of [
      ['a', 'b', 'c'],
      ['c', 'b', 'a'],
    ]) {
      const reads = rowGroupReads(readable(), 0, columns);
      expect(reads.ranges).toEqual([
        { startByte: 4, endByte: 204, targetByte: 0 },
        { startByte: 304, endByte: 404, targetByte: 200 },
      ]);
      expect(reads.bufferBytes).toBe(300);
      expect(reads.columns.map(({ column }) => column.name)).toEqual(columns);
    }
  });

  it('reads a gap along that is no longer than allowed, and places chunks behind it', () => {
    const reads = rowGroupReads(readable(), 0, ['c', 'b'], 100);
    expect(reads.ranges).toEqual([{ startByte: 104, endByte: 404, targetByte: 0 }]);
    expect(reads.bufferBytes).toBe(300);
    expect(reads.columns.map(({ chunks }) => [chunks[0]!.startByte, chunks[0]!.endByte])).toEqual([
      [200, 300],
      [0, 100],
    ]);
    expect(rowGroupReads(readable(), 0, ['c', 'b'], 99).ranges).toHaveLength(2);
  });

  it('places every chunk in the buffer, the dictionary page before the data pages', () => {
    const reads = rowGroupReads(readable(), 0, ['c', 'a']);
    expect(reads.columns.map(({ chunks }) => chunks)).toMatchObject([
      [{ startByte: 100, endByte: 200, dataPageOffset: 0, valueCount: 10, codec: 'ZSTD' }],
      [{ startByte: 0, endByte: 100, dataPageOffset: 20 }],
    ]);
  });

  it('drops repeats of a column', () => {
    expect(rowGroupReads(readable(), 0, ['b', 'b']).columns).toHaveLength(1);
  });

  it('takes a dictionary page offset of 0, or one past the first data page, for no dictionary', () => {
    for (const offset of [0, 180]) {
      const shard = readable({ b: { dictionaryPageByte: offset } });
      expect(rowGroupReads(shard, 0, ['b']).ranges).toEqual([
        { startByte: 104, endByte: 204, targetByte: 0 },
      ]);
    }
  });

  it('says SHARD_TRUNCATED with row group, column and bytes when a chunk reaches past the data', () => {
    const error = planError({ ...readable(), dataEndByte: 400 }, ['a', 'c']);
    expect(error.message).toBe(
      "SHARD_TRUNCATED: x.parquet, row group 0, column 'c': the column chunk reaches past the end of the data " +
        '(expected bytes 304 to 404, found data up to byte 400)',
    );
  });

  it('refuses more values than a column may hold, whether its chunk says so or the row group alone', () => {
    const most = 2 ** 27;
    const shardOf = (valueCount: number, rowCount: number) => {
      return { ...readable({ b: { valueCount } }), rowGroups: [{ rowStart: 0, rowCount }] };
    };
    for (const shard of [shardOf(most + 1, 10), shardOf(10, most + 1)]) {
      expect(planError(shard, ['b'])).toMatchObject({
        ...{ code: 'SHARD_ROW_GROUP_TOO_LARGE', expected: `at most ${most}`, found: `${most + 1}` },
        location: { column: 'b', rowGroup: 0 },
      });
    }
    expect(rowGroupReads(shardOf(most, most), 0, ['b']).rowCount).toBe(most);
  });

  it('refuses more than 2 GiB of one row group', () => {
    const shard = readable({ b: { compressedBytes: 2 ** 31 } });
    const error = planError({ ...shard, dataEndByte: 2 ** 32 }, ['b']);
    expect(error).toMatchObject({ code: 'SHARD_ROW_GROUP_TOO_LARGE', found: `${2 ** 31}` });
  });

  it.each([
    ['SHARD_ENCRYPTED', { isEncrypted: true }],
    ['SHARD_EXTERNAL_CHUNK', { filePath: 'other.parquet' }],
    ['SHARD_FOOTER_INVALID', { type: 'INT64' }],
    ['SHARD_FOOTER_INVALID', { type: undefined }],
    ['SHARD_FOOTER_INVALID', { compressedBytes: -1 }],
    ['SHARD_FOOTER_INVALID', { dataPageByte: 2 ** 60 }],
    ['SHARD_FOOTER_INVALID', { valueCount: undefined }],
    ['SHARD_FOOTER_INVALID', { dataPageByte: 300, dictionaryPageByte: 104 }],
    ['SHARD_CODEC_UNSUPPORTED', { codec: 'LZO' }],
    ['SHARD_CODEC_UNSUPPORTED', { codec: undefined }],
  ] as [string, Partial<FooterChunk>][])(
    'says %s for column b when its chunk has %o, and still plans column a',
    (code, change) => {
      const shard = readable({ b: change });
      expect(planError(shard, ['b'])).toMatchObject({
        code,
        location: { file: 'x.parquet', rowGroup: 0, column: 'b' },
      });
      expect(rowGroupReads(shard, 0, ['a']).ranges).toHaveLength(1);
    },
  );

  it('refuses unknown row groups, unknown columns and columns without an Arrow type', () => {
    expect(planError(readable(), ['a'], 1).code).toBe('SHARD_ROW_GROUP_MISSING');
    expect(planError(readable(), ['d']).code).toBe('SHARD_COLUMN_MISSING');
    const shard = { ...readable(), unreadableColumns: new Map([['a', 'odd type']]) };
    expect(planError(shard, ['a'])).toMatchObject({ code: 'SHARD_COLUMN_UNREADABLE', found: 'odd type' });
  });
});
