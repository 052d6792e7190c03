import { type Data, makeData, RecordBatch, Schema, Struct } from 'apache-arrow';
import { columnOf } from '../base/arrowColumns.ts';
import { type ErrorLocation, messageOf, Ncs4cvrError } from '../base/errors.ts';
import { assembleFile, UnpackedSizeError } from './assembleFile.ts';
import { LARGEST_UNPACKED_BYTES } from './checkPages.ts';
import type { ColumnMemory } from './columnMemory.ts';
import { type DictionaryColumn, decodeDictionaryColumns } from './dictionaryColumns.ts';
import type { PlacedChunk } from './encodeFooter.ts';
import { INT96_RANGE, Int96RangeError, withoutInt96, withTimestamps } from './int96Timestamps.ts';
import { readArrowSchema } from './readArrowSchema.ts';
import { ReusedMemory } from './reusedMemory.ts';
import type { ReadColumn, ReadRowGroupBytes } from './rowGroupReads.ts';
import { type BadCell, withoutText, withText } from './textColumns.ts';
import { DecoderPanic, decodeBatches } from './wasmDecoder.ts';
import { withoutStructs } from './withoutStructs.ts';

type OnBadCell = (rowGroup: ReadRowGroupBytes, cell: BadCell) => void;

const DEFAULT_BATCH_ROWS = 65_536;
/**
 * Columns are decoded together up to about this size. WASM memory never shrinks and holds decoded values twice (as arrays
 * and as an IPC stream), so a row group of hundreds of megabytes must not go through it in one piece.
 */
const DECODE_BYTES = 32 * 1024 * 1024;

export interface DecodeOptions {
  /** Rows in every batch but the last of a run of row groups. */
  readonly batchRows?: number;
  /**
   * Told of single values that keep a row group from being decoded, where nothing else does: text that isn't UTF-8, timestamps
   * out of range. Their rows come back with others' values in their place; without it, they are errors.
   */
  readonly onBadCell?: OnBadCell;
  /** Columns that may come back as dictionaries and indices, or lists of these: see decodeDictionaryColumns. None by default. */
  readonly dictionaries?: ReadonlySet<string>;
  /** Memory of copies and of indices, to be used again by the caller; their own by default. */
  readonly memory?: ReusedMemory;
  /** Memory of columns that come back as dictionaries; `memory` by default. */
  readonly into?: ColumnMemory;
}

/**
 * Decodes row groups that have rows, of one shard or of several, one after the other. A call of the decoder costs about as
 * much as some hundred rows, so neighbours with the very same columns (the same `ShardColumn` objects) are decoded by one
 * call, and a batch may then hold rows of several. The caller keeps such neighbours few and small.
 *
 * @returns batches in row order; a null slot's value is undefined, read the validity bitmap
 * @throws Ncs4cvrError SHARD_PAGE_CORRUPT, SHARD_TEXT_NOT_UTF8, SHARD_ROW_COUNT_MISMATCH, SHARD_TIMESTAMP_RANGE, SHARD_ROW_GROUP_TOO_LARGE,
 * SHARD_DECODER_PANIC, each of the first row group at fault
 */
export function decodeRowGroups(
  rowGroups: readonly ReadRowGroupBytes[],
  {
    batchRows = DEFAULT_BATCH_ROWS,
    onBadCell,
    dictionaries,
    memory = new ReusedMemory(),
    into = memory,
  }: DecodeOptions = {},
): RecordBatch[] {
  return sameColumns(rowGroups).flatMap((some) => {
    if (dictionaries === undefined) return decodeRun(some, batchRows, onBadCell);
    const { columns } = some[0]!.reads;
    let decoded: ReadonlyMap<string, DictionaryColumn>;
    try {
      decoded = decodeDictionaryColumns(some, dictionaries, memory, into);
    } catch (cause) {
      // arrow-rs fails at the same page once more, and row group and column are named.
      const batches = decodeRun(some, batchRows, onBadCell);
      if (!(cause instanceof DecoderPanic)) return batches;
      throw decoderPanic(cause, { file: some[0]!.uri, rowGroup: some[0]!.reads.rowGroup });
    }
    const others = columns.filter(({ column }) => !decoded.has(column.name));
    if (others.length === columns.length) return decodeRun(some, batchRows, onBadCell);
    const rest = some.map((rowGroup) => withoutColumns(rowGroup, decoded));
    const onCell: OnBadCell | undefined =
      onBadCell && ((rowGroup, cell) => onBadCell(some[rest.indexOf(rowGroup)]!, cell));
    const batches = others.length === 0 ? undefined : decodeRun(rest, batchRows, onCell);
    const names = columns.map(({ column }) => column.name);
    return withDictionaries(names, decoded, batches, batchRows);
  });
}

/** Row groups with the same columns. */
function decodeRun(
  rowGroups: readonly ReadRowGroupBytes[],
  batchRows: number,
  onBadCell: OnBadCell | undefined,
): RecordBatch[] {
  const [first] = rowGroups;
  if (rowGroups.length === 1) return decodeAlone(first!, batchRows, onBadCell);
  try {
    return decodeTogether(rowGroups, first!.reads.columns, batchRows);
  } catch {
    // Whichever is at fault fails alone too, and is named.
    return rowGroups.flatMap((rowGroup) => decodeAlone(rowGroup, batchRows, onBadCell));
  }
}

function withoutColumns(
  { uri, reads, buffer }: ReadRowGroupBytes,
  decoded: ReadonlyMap<string, unknown>,
): ReadRowGroupBytes {
  const columns = reads.columns.filter(({ column }) => !decoded.has(column.name));
  return { uri, reads: { ...reads, columns }, buffer };
}

/** All columns side by side, in batches as the others have them. @param others undefined when there are none */
function withDictionaries(
  names: readonly string[],
  decoded: ReadonlyMap<string, DictionaryColumn>,
  others: readonly RecordBatch[] | undefined,
  batchRows: number,
): RecordBatch[] {
  const [first] = decoded.values();
  const rowCount = first!.data.length;
  const otherFields = new Map(others?.[0]?.schema.fields.map((field) => [field.name, field]));
  const fields = names.map((name) => decoded.get(name)?.field ?? otherFields.get(name)!);
  const schema = new Schema(fields);
  const type = new Struct(fields);
  const batches: RecordBatch[] = [];
  for (let start = 0; start < rowCount; ) {
    const other = others?.[batches.length];
    const length = other?.numRows ?? Math.min(batchRows, rowCount - start);
    const children = names.map((name) => {
      const column = decoded.get(name);
      if (column === undefined) return columnOf(other!, name)!;
      return length === rowCount ? column.data : column.data.slice(start, length);
    });
    batches.push(new RecordBatch(schema, makeData({ type, length, nullCount: 0, children })));
    start += length;
  }
  return batches;
}

/** Runs of neighbours whose columns are the same objects. */
function sameColumns(rowGroups: readonly ReadRowGroupBytes[]): ReadRowGroupBytes[][] {
  const runs: ReadRowGroupBytes[][] = [];
  for (const rowGroup of rowGroups) {
    const { columns } = rowGroup.reads;
    const before = runs.at(-1)?.[0]?.reads.columns;
    const isSame =
      before !== undefined &&
      before.length === columns.length &&
      before.every(({ column }, index) => column === columns[index]!.column);
    if (isSame) runs.at(-1)!.push(rowGroup);
    else runs.push([rowGroup]);
  }
  return runs;
}

/** Errors that single values may be the cause of. */
const OF_VALUES = ['SHARD_PAGE_CORRUPT', 'SHARD_TEXT_NOT_UTF8', 'SHARD_TIMESTAMP_RANGE'];

function decodeAlone(
  rowGroup: ReadRowGroupBytes,
  batchRows: number,
  onBadCell: OnBadCell | undefined,
): RecordBatch[] {
  const split = splitColumns(rowGroup.reads.columns);
  try {
    return joinColumns(split.map((some) => decodeColumns(rowGroup, some, batchRows)));
  } catch (error) {
    const isOfValues = error instanceof Ncs4cvrError && OF_VALUES.includes(error.code);
    if (onBadCell === undefined || !isOfValues) throw error;
    const cells: BadCell[] = [];
    const onCell = (cell: BadCell) => cells.push(cell);
    let batches: RecordBatch[];
    try {
      batches = joinColumns(split.map((some) => decodeTogether([rowGroup], some, batchRows, onCell)));
    } catch (cause) {
      const place = { file: rowGroup.uri, rowGroup: rowGroup.reads.rowGroup };
      throw cause instanceof DecoderPanic ? decoderPanic(cause, place) : error;
    }
    // What no row is the cause of is damage.
    if (cells.length === 0) throw error;
    for (const cell of cells) onBadCell(rowGroup, cell);
    return batches;
  }
}

function decoderPanic(cause: DecoderPanic, place: ErrorLocation): Ncs4cvrError {
  return new Ncs4cvrError('SHARD_DECODER_PANIC', 'the decoder panicked; the data is corrupt or too large', {
    ...place,
    found: cause.message,
    cause,
  });
}

/** Decodes some of the columns that were read. A failure is traced to the column at fault by decoding each alone. */
function decodeColumns(
  rowGroup: ReadRowGroupBytes,
  columns: readonly ReadColumn[],
  batchRows: number,
): RecordBatch[] {
  const place = {
    file: rowGroup.uri,
    rowGroup: rowGroup.reads.rowGroup,
    ...(columns.length === 1 ? { column: columns[0]!.column.name } : {}),
  };
  try {
    return decodeTogether([rowGroup], columns, batchRows);
  } catch (cause) {
    if (cause instanceof DecoderPanic) throw decoderPanic(cause, place);
    if (cause instanceof RowCountError) {
      throw new Ncs4cvrError('SHARD_ROW_COUNT_MISMATCH', 'the column data has another number of rows', {
        ...place,
        expected: `${rowGroup.reads.rowCount} rows`,
        found: `${cause.rows}`,
      });
    }
    if (cause instanceof Int96RangeError) {
      throw new Ncs4cvrError('SHARD_TIMESTAMP_RANGE', 'an INT96 timestamp is out of range', {
        ...place,
        column: cause.column,
        expected: INT96_RANGE,
        found: cause.message,
      });
    }
    if (cause instanceof UnpackedSizeError && columns.length === 1) {
      throw new Ncs4cvrError('SHARD_ROW_GROUP_TOO_LARGE', 'the column of the row group is too large', {
        ...place,
        expected: `at most ${LARGEST_UNPACKED_BYTES} bytes unpacked`,
        found: cause.message,
      });
    }
    for (const column of columns.length > 1 ? columns : []) decodeColumns(rowGroup, [column], batchRows);
    const cell = firstBadText(rowGroup, columns, batchRows);
    if (cell !== undefined) {
      throw new Ncs4cvrError('SHARD_TEXT_NOT_UTF8', "text isn't UTF-8", {
        ...place,
        expected: 'UTF-8',
        found: `${cell.value} in row ${cell.row} of the row group`,
        cause,
      });
    }
    throw new Ncs4cvrError('SHARD_PAGE_CORRUPT', 'the column data cannot be decoded', {
      ...place,
      expected: columns.map(typeOf).join(', '),
      found: messageOf(cause),
      cause,
    });
  }
}

/** Of columns that can't be decoded, where nothing but such text is wrong with them. */
function firstBadText(
  rowGroup: ReadRowGroupBytes,
  columns: readonly ReadColumn[],
  batchRows: number,
): BadCell | undefined {
  const cells: BadCell[] = [];
  try {
    decodeTogether([rowGroup], columns, batchRows, (cell) => cells.push(cell));
  } catch {
    return undefined;
  }
  return cells.find(({ reason }) => reason === 'TEXT_NOT_UTF8');
}

class RowCountError extends Error {
  readonly rows: number;

  constructor(rows: number) {
    super(`${rows} rows`);
    this.rows = rows;
  }
}

/**
 * One call of the decoder.
 * @param onBadCell as in decodeRowGroups, of a single row group
 * @throws DecoderPanic, RowCountError, UnpackedSizeError, Int96RangeError, Error with arrow-rs's message
 */
function decodeTogether(
  rowGroups: readonly ReadRowGroupBytes[],
  columns: readonly ReadColumn[],
  batchRows: number,
  onBadCell?: (cell: BadCell) => void,
): RecordBatch[] {
  const asRead: (read: ReadColumn) => ReadColumn =
    onBadCell === undefined ? withoutInt96 : (read) => withoutText(withoutInt96(read));
  const batches = withoutStructs(
    decodeBatches(assembleFile(rowGroups, columns, asRead), batchRows),
    columns.map(({ column }) => column),
  );
  const rows = batches.reduce((sum, batch) => sum + batch.numRows, 0);
  const wanted = rowGroups.reduce((sum, { reads }) => sum + reads.rowCount, 0);
  if (rows !== wanted) throw new RowCountError(rows);
  const decoded = withTimestamps(batches, columns, onBadCell);
  return [...(onBadCell === undefined ? decoded : withText(decoded, columns, onBadCell))];
}

/** Neighbours of up to `DECODE_BYTES` together. */
function splitColumns(columns: readonly ReadColumn[]): ReadColumn[][] {
  const split: ReadColumn[][] = [];
  let splitBytes = Number.POSITIVE_INFINITY;
  for (const column of columns) {
    const bytes = column.chunks.reduce((sum, chunk) => sum + decodedBytes(chunk), 0);
    if (splitBytes + bytes > DECODE_BYTES) {
      split.push([]);
      splitBytes = 0;
    }
    split.at(-1)!.push(column);
    splitBytes += bytes;
  }
  return split;
}

/** A guess: dictionary-encoded chunks decode to more than their uncompressed size. */
function decodedBytes({ uncompressedBytes, valueCount }: PlacedChunk): number {
  return Math.max(uncompressedBytes, 8 * valueCount);
}

function typeOf({ column }: ReadColumn): string {
  return String(readArrowSchema([column]).schema.fields[0]?.type);
}

/** Puts columns that were decoded apart side by side; all have batches of the same lengths. */
function joinColumns(decoded: readonly RecordBatch[][]): RecordBatch[] {
  const first = decoded[0]!;
  if (decoded.length === 1) return first;
  const schema = new Schema(decoded.flatMap((batches) => batches[0]!.schema.fields));
  return first.map((batch, index) => {
    const children: Data[] = decoded.flatMap((batches) => {
      const data = batches[index]!.data;
      if (data.length !== batch.numRows) throw new Error('batches of one row group differ in length');
      return data.children;
    });
    return new RecordBatch(
      schema,
      makeData({ type: new Struct(schema.fields), length: batch.numRows, nullCount: 0, children }),
    );
  });
}
