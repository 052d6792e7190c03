import type { ColumnChunk } from 'hyparquet';
import { Ncs4cvrError } from '../base/errors.ts';
import type { PlacedChunk } from './encodeFooter.ts';
import type { ParquetShard } from './openShard.ts';
import type { ShardColumn, ShardLeaf } from './shardColumns.ts';

/** Bytes `[startByte, endByte)` of the file, to be read to `targetByte` of the buffer. */
interface ReadRange {
  readonly startByte: number;
  readonly endByte: number;
  readonly targetByte: number;
}

export interface ReadColumn {
  readonly column: ShardColumn;
  /** One per leaf; `startByte` and `endByte` are positions in the buffer. */
  readonly chunks: readonly PlacedChunk[];
}

/** What to read for some columns of one row group, and where it goes. */
export interface RowGroupReads {
  readonly rowGroup: number;
  readonly rowCount: number;
  /** In the order asked for. */
  readonly columns: readonly ReadColumn[];
  /** In file order, not overlapping; ranges that touch, or lie near enough, are one. */
  readonly ranges: readonly ReadRange[];
  readonly bufferBytes: number;
}

/** A row group is read into one buffer and goes through 32-bit WASM memory. */
const LARGEST_BUFFER_BYTES = 2 ** 31 - 1;
/** What one column of a row group may hold: eight bytes each are a gigabyte, and a few bytes may say that they are there. */
const MOST_VALUES = 2 ** 27;

/** What of a shard decides its reads. */
export type ReadableShard = Pick<
  ParquetShard,
  'uri' | 'rowGroups' | 'columns' | 'metadata' | 'dataEndByte' | 'unreadableColumns'
>;

/**
 * Works out the reads for `columns` (top-level names; repeats are dropped) of one row group. Pure: nothing is read.
 *
 * @param joinGapBytes ranges that are at most this far apart are read as one, with the gap between them
 * @throws Ncs4cvrError SHARD_ROW_GROUP_MISSING, SHARD_COLUMN_MISSING, SHARD_COLUMN_UNREADABLE, SHARD_ENCRYPTED,
 * SHARD_EXTERNAL_CHUNK, SHARD_CODEC_UNSUPPORTED, SHARD_FOOTER_INVALID, SHARD_TRUNCATED,
 * SHARD_ROW_GROUP_TOO_LARGE.
 */
export function rowGroupReads(
  shard: ReadableShard,
  rowGroup: number,
  columns: readonly string[],
  joinGapBytes = 0,
): RowGroupReads {
  const rows = shard.rowGroups[rowGroup];
  const group = shard.metadata.row_groups[rowGroup];
  if (rows === undefined || group === undefined) {
    throw new Ncs4cvrError('SHARD_ROW_GROUP_MISSING', 'no such row group', {
      file: shard.uri,
      rowGroup,
      expected: `0 to ${shard.rowGroups.length - 1}`,
      found: `${rowGroup}`,
    });
  }
  const located = [...new Set(columns)].map((name) => {
    const column = findColumn(shard, rowGroup, name);
    return {
      column,
      chunks: column.leaves.map((leaf) => locateChunk(shard, rowGroup, leaf, group.columns[leaf.index]!)),
    };
  });
  const ranges = coalesce(
    located.flatMap(({ chunks }) => chunks),
    joinGapBytes,
  );
  const lastRange = ranges.at(-1);
  const bufferBytes =
    lastRange === undefined ? 0 : lastRange.targetByte + lastRange.endByte - lastRange.startByte;
  if (bufferBytes > LARGEST_BUFFER_BYTES) {
    throw new Ncs4cvrError('SHARD_ROW_GROUP_TOO_LARGE', 'the wanted columns of the row group are too large', {
      file: shard.uri,
      rowGroup,
      expected: `at most ${LARGEST_BUFFER_BYTES} compressed bytes`,
      found: `${bufferBytes}`,
    });
  }
  return {
    rowGroup,
    rowCount: rows.rowCount,
    columns: located.map(({ column, chunks }) => ({
      column,
      chunks: chunks.map((chunk) => moveInto(ranges, chunk)),
    })),
    ranges,
    bufferBytes,
  };
}

function findColumn(shard: ReadableShard, rowGroup: number, name: string): ShardColumn {
  const place = { file: shard.uri, rowGroup, column: name };
  const reason = shard.unreadableColumns.get(name);
  if (reason !== undefined) {
    throw new Ncs4cvrError('SHARD_COLUMN_UNREADABLE', 'the column cannot be read', {
      ...place,
      found: reason,
    });
  }
  const column = shard.columns.find((candidate) => candidate.name === name);
  if (column === undefined) throw new Ncs4cvrError('SHARD_COLUMN_MISSING', 'no such column', place);
  return column;
}

/** Checks one chunk's metadata; positions are in the file. */
function locateChunk(
  shard: ReadableShard,
  rowGroup: number,
  leaf: ShardLeaf,
  chunk: ColumnChunk,
): PlacedChunk {
  const place = { file: shard.uri, rowGroup, column: leaf.path.join('.') };
  const meta = chunk.meta_data;
  if (chunk.crypto_metadata !== undefined || chunk.encrypted_column_metadata !== undefined) {
    throw new Ncs4cvrError('SHARD_ENCRYPTED', 'the column is encrypted; that is not supported', place);
  }
  if (chunk.file_path) {
    throw new Ncs4cvrError('SHARD_EXTERNAL_CHUNK', 'the column chunk is in another file', {
      ...place,
      found: chunk.file_path,
    });
  }
  if (meta === undefined || meta.type !== leaf.element.type) {
    throw new Ncs4cvrError('SHARD_FOOTER_INVALID', 'the column chunk does not fit the schema', {
      ...place,
      expected: String(leaf.element.type),
      found: meta === undefined ? 'no metadata' : String(meta.type),
    });
  }
  if (meta.codec === undefined || meta.codec === 'LZO') {
    throw new Ncs4cvrError('SHARD_CODEC_UNSUPPORTED', 'the compression codec is not supported', {
      ...place,
      expected: 'UNCOMPRESSED, SNAPPY, GZIP, BROTLI, LZ4, LZ4_RAW or ZSTD',
      found: meta.codec ?? 'an unknown codec',
    });
  }
  const number = (what: string, value: bigint | undefined): number => {
    const result = Number(value);
    if (typeof value === 'bigint' && value >= 0n && Number.isSafeInteger(result)) return result;
    throw new Ncs4cvrError('SHARD_FOOTER_INVALID', `${what} makes no sense`, { ...place, found: `${value}` });
  };
  const dataPageByte = number('the data page offset', meta.data_page_offset);
  const dictionaryByte = number('the dictionary page offset', meta.dictionary_page_offset ?? 0n);
  // Some writers set a dictionary page offset of 0, or one past the first data page, for "no dictionary".
  const startByte = dictionaryByte > 0 && dictionaryByte < dataPageByte ? dictionaryByte : dataPageByte;
  const endByte = startByte + number('the compressed size', meta.total_compressed_size);
  if (endByte > shard.dataEndByte) {
    throw new Ncs4cvrError('SHARD_TRUNCATED', 'the column chunk reaches past the end of the data', {
      ...place,
      expected: `bytes ${startByte} to ${endByte}`,
      found: `data up to byte ${shard.dataEndByte}`,
    });
  }
  if (dataPageByte > endByte) {
    throw new Ncs4cvrError('SHARD_FOOTER_INVALID', 'the first data page is outside its column chunk', {
      ...place,
      expected: `bytes ${startByte} to ${endByte}`,
      found: `byte ${dataPageByte}`,
    });
  }
  const valueCount = number('the value count', meta.num_values);
  const rowCount = shard.rowGroups[rowGroup]!.rowCount;
  if (Math.max(valueCount, rowCount) > MOST_VALUES) {
    throw new Ncs4cvrError('SHARD_ROW_GROUP_TOO_LARGE', 'the row group has too many values', {
      ...place,
      expected: `at most ${MOST_VALUES}`,
      found: `${Math.max(valueCount, rowCount)}`,
    });
  }
  return {
    type: meta.type,
    codec: meta.codec,
    valueCount,
    uncompressedBytes: number('the uncompressed size', meta.total_uncompressed_size),
    startByte,
    endByte,
    dataPageOffset: dataPageByte - startByte,
  };
}

function coalesce(chunks: readonly PlacedChunk[], joinGapBytes: number): ReadRange[] {
  const ranges: { startByte: number; endByte: number; targetByte: number }[] = [];
  let targetByte = 0;
  for (const { startByte, endByte } of [...chunks].sort((a, b) => a.startByte - b.startByte)) {
    const last = ranges.at(-1);
    if (last === undefined || startByte > last.endByte + joinGapBytes) {
      if (last !== undefined) targetByte += last.endByte - last.startByte;
      ranges.push({ startByte, endByte, targetByte });
    } else {
      last.endByte = Math.max(last.endByte, endByte);
    }
  }
  return ranges;
}

function moveInto(ranges: readonly ReadRange[], chunk: PlacedChunk): PlacedChunk {
  const range = ranges.find(
    ({ startByte, endByte }) => startByte <= chunk.startByte && chunk.endByte <= endByte,
  )!;
  const shift = range.targetByte - range.startByte;
  return { ...chunk, startByte: chunk.startByte + shift, endByte: chunk.endByte + shift };
}
