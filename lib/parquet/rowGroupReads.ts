import { Ncs4cvrError } from '../base/errors.ts';
import { didYouMean } from '../base/nearestName.ts';
import type { PlacedChunk } from './encodeFooter.ts';
import type { ParquetShard } from './openShard.ts';
import type { FooterChunk } from './parseFooter.ts';
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

/** The bytes of some columns of one row group, read and not yet decoded. */
export interface ReadRowGroupBytes {
  /** URI of the shard. */
  readonly uri: string;
  readonly reads: RowGroupReads;
  /** Filled as `reads` says. */
  readonly buffer: Uint8Array;
}

/** A row group is read into one buffer and goes through 32-bit WASM memory. */
const LARGEST_BUFFER_BYTES = 2 ** 31 - 1;
/** What one column of a row group may hold: eight bytes each are a gigabyte, and a few bytes may say that they are there. */
const MOST_VALUES = 2 ** 27;

/** What of a shard decides its reads. */
export type ReadableShard = Pick<
  ParquetShard,
  'uri' | 'rowGroups' | 'columns' | 'chunks' | 'dataEndByte' | 'unreadableColumns'
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
  const ofLeaves = shard.chunks[rowGroup];
  if (rows === undefined || ofLeaves === undefined) {
    throw new Ncs4cvrError('SHARD_ROW_GROUP_MISSING', 'no such row group', {
      file: shard.uri,
      rowGroup,
      expected: `0 to ${shard.rowGroups.length - 1}`,
      found: `${rowGroup}`,
    });
  }
  const all: MovableChunk[] = [];
  const located = [...new Set(columns)].map((name): ReadColumn => {
    const column = findColumn(shard, rowGroup, name);
    const chunks = column.leaves.map((leaf) => locateChunk(shard, rowGroup, leaf, ofLeaves[leaf.index]!));
    all.push(...chunks);
    return { column, chunks };
  });
  const ranges = coalesce(all, joinGapBytes);
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
  for (const chunk of all) moveInto(ranges, chunk);
  return { rowGroup, rowCount: rows.rowCount, columns: located, ranges, bufferBytes };
}

function findColumn(shard: ReadableShard, rowGroup: number, name: string): ShardColumn {
  const column = columnsByName(shard.columns).get(name);
  const reason = shard.unreadableColumns.get(name);
  if (column !== undefined && reason === undefined) return column;
  const place = { file: shard.uri, rowGroup, column: name };
  if (reason === undefined) {
    const names = shard.columns.map((each) => each.name);
    throw new Ncs4cvrError('SHARD_COLUMN_MISSING', `no such column${didYouMean(name, names)}`, place);
  }
  throw new Ncs4cvrError('SHARD_COLUMN_UNREADABLE', 'the column cannot be read', { ...place, found: reason });
}

/** Shards of one schema share their columns. */
const byName = new WeakMap<readonly ShardColumn[], ReadonlyMap<string, ShardColumn>>();

function columnsByName(columns: readonly ShardColumn[]): ReadonlyMap<string, ShardColumn> {
  let found = byName.get(columns);
  if (found === undefined) {
    found = new Map(columns.map((column) => [column.name, column]));
    byName.set(columns, found);
  }
  return found;
}

/** A chunk whose positions turn from those in the file to those in the buffer. */
type MovableChunk = { -readonly [Key in keyof PlacedChunk]: PlacedChunk[Key] };

interface ChunkPlace {
  readonly shard: ReadableShard;
  readonly rowGroup: number;
  readonly leaf: ShardLeaf;
}

function failure(
  { shard, rowGroup, leaf }: ChunkPlace,
  code: string,
  summary: string,
  found?: string,
  expected?: string,
): Ncs4cvrError {
  return new Ncs4cvrError(code, summary, {
    ...{ file: shard.uri, rowGroup, column: leaf.path.join('.') },
    ...(expected === undefined ? {} : { expected }),
    ...(found === undefined ? {} : { found }),
  });
}

/** @throws SHARD_FOOTER_INVALID for what is no number of bytes or values */
function checked(at: ChunkPlace, what: string, value: number | undefined): number {
  if (value !== undefined && Number.isSafeInteger(value) && value >= 0) return value;
  throw failure(at, 'SHARD_FOOTER_INVALID', `${what} makes no sense`, `${value}`);
}

/** Checks one chunk's metadata; positions are in the file. */
function locateChunk(
  shard: ReadableShard,
  rowGroup: number,
  leaf: ShardLeaf,
  chunk: FooterChunk,
): MovableChunk {
  const { type, codec, dictionaryPageByte = 0 } = chunk;
  const at: ChunkPlace = { shard, rowGroup, leaf };
  if (chunk.isEncrypted) {
    throw failure(at, 'SHARD_ENCRYPTED', 'the column is encrypted; that is not supported');
  }
  if (chunk.filePath) {
    throw failure(at, 'SHARD_EXTERNAL_CHUNK', 'the column chunk is in another file', chunk.filePath);
  }
  if (type === undefined || type !== leaf.element.type) {
    const summary = 'the column chunk does not fit the schema';
    throw failure(at, 'SHARD_FOOTER_INVALID', summary, type ?? 'no known type', String(leaf.element.type));
  }
  if (codec === undefined || codec === 'LZO') {
    const readable = 'UNCOMPRESSED, SNAPPY, GZIP, BROTLI, LZ4, LZ4_RAW or ZSTD';
    const summary = 'the compression codec is not supported';
    throw failure(at, 'SHARD_CODEC_UNSUPPORTED', summary, codec ?? 'an unknown codec', readable);
  }
  const dataPageByte = checked(at, 'the data page offset', chunk.dataPageByte);
  const dictionaryByte = checked(at, 'the dictionary page offset', dictionaryPageByte);
  // Some writers set a dictionary page offset of 0, or one past the first data page, for "no dictionary".
  const startByte = dictionaryByte > 0 && dictionaryByte < dataPageByte ? dictionaryByte : dataPageByte;
  const endByte = startByte + checked(at, 'the compressed size', chunk.compressedBytes);
  if (endByte > shard.dataEndByte) {
    throw failure(
      at,
      'SHARD_TRUNCATED',
      'the column chunk reaches past the end of the data',
      `data up to byte ${shard.dataEndByte}`,
      `bytes ${startByte} to ${endByte}`,
    );
  }
  if (dataPageByte > endByte) {
    throw failure(
      at,
      'SHARD_FOOTER_INVALID',
      'the first data page is outside its column chunk',
      `byte ${dataPageByte}`,
      `bytes ${startByte} to ${endByte}`,
    );
  }
  const valueCount = checked(at, 'the value count', chunk.valueCount);
  const { rowCount } = shard.rowGroups[rowGroup]!;
  if (Math.max(valueCount, rowCount) > MOST_VALUES) {
    const found = `${Math.max(valueCount, rowCount)}`;
    const summary = 'the row group has too many values';
    throw failure(at, 'SHARD_ROW_GROUP_TOO_LARGE', summary, found, `at most ${MOST_VALUES}`);
  }
  return {
    type,
    codec,
    valueCount,
    uncompressedBytes: checked(at, 'the uncompressed size', chunk.uncompressedBytes),
    startByte,
    endByte,
    dataPageOffset: dataPageByte - startByte,
  };
}

function coalesce(chunks: readonly PlacedChunk[], joinGapBytes: number): ReadRange[] {
  const ranges: { startByte: number; endByte: number; targetByte: number }[] = [];
  let targetByte = 0;
  // Mostly asked for in the order of the file.
  const areSorted = chunks.every(
    ({ startByte }, index) => index === 0 || chunks[index - 1]!.startByte <= startByte,
  );
  const sorted = areSorted ? chunks : [...chunks].sort((a, b) => a.startByte - b.startByte);
  for (const { startByte, endByte } of sorted) {
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

function moveInto(ranges: readonly ReadRange[], chunk: MovableChunk): void {
  for (const { startByte, endByte, targetByte } of ranges) {
    if (chunk.startByte < startByte || chunk.endByte > endByte) continue;
    chunk.startByte += targetByte - startByte;
    chunk.endByte += targetByte - startByte;
    return;
  }
}
