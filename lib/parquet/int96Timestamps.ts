import {
  type Data,
  DataType,
  Field,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  TimestampNanosecond,
} from 'apache-arrow';
import { isValid } from '../base/arrowColumns.ts';
import { calendarDayAt, DAY_MILLIS } from '../base/calendarDay.ts';
import type { PlacedChunk } from './encodeFooter.ts';
import type { ReadColumn } from './rowGroupReads.ts';
import type { BadCell } from './textColumns.ts';

/** An INT96 is 8 bytes of nanoseconds within a day and 4 of the Julian day, little-endian. */
const INT96_BYTES = 12;
const UNIX_EPOCH_JULIAN_DAY = 2_440_588;
const DAY_NANOSECONDS = 86_400_000_000_000n;
const LARGEST = 2n ** 63n - 1n;
const SMALLEST = -(2n ** 63n);
/** The years that `SMALLEST` and `LARGEST` lie in, in words for errors. */
export const INT96_RANGE = '1677-09-21 to 2262-04-11, which 64 bits of nanoseconds hold';

/** An INT96 beyond 64 bits of nanoseconds since 1970. */
export class Int96RangeError extends Error {
  readonly column: string;

  /** @param row counted from the first of the row groups that were decoded together */
  constructor(column: string, row: number, julianDay: number) {
    super(`${dayText(julianDay)} in row ${row} of the row group`);
    this.column = column;
  }
}

function dayText(julianDay: number): string {
  const days = julianDay - UNIX_EPOCH_JULIAN_DAY;
  const date = new Date(days * DAY_MILLIS);
  return Number.isNaN(date.getTime()) ? `day ${days} since 1970` : calendarDayAt(date.getTime());
}

/**
 * The column as arrow-rs is to read it. Its own conversion of an INT96 to nanoseconds wraps without an error, so it gets the
 * same pages as columns of 12 bytes (the encodings of both are the same), which `withTimestamps` converts. An INT96 within a
 * list stays what it is: neither features nor row keys can be of this type.
 */
export function withoutInt96(read: ReadColumn): ReadColumn {
  if (!isInt96(read)) return read;
  const type = 'FIXED_LEN_BYTE_ARRAY';
  const elements = [...read.column.elements];
  const element = elements.pop()!;
  return {
    column: { ...read.column, elements: [...elements, { ...element, type, type_length: INT96_BYTES }] },
    chunks: read.chunks.map((chunk): PlacedChunk => ({ ...chunk, type })),
  };
}

function isInt96({ column: { elements, structDepth = 0 } }: ReadColumn): boolean {
  return elements.length === structDepth + 1 && elements[structDepth]!.type === 'INT96';
}

/**
 * Makes timestamps of what was INT96 before `withoutInt96`: the type that `readArrowSchema` gives to them.
 * @param columns the batches' columns, in their order, as they were before
 * @param onBadCell told of what is out of range, which becomes 1970 then: nobody may read that row
 * @throws Int96RangeError, without `onBadCell`
 */
export function withTimestamps(
  batches: readonly RecordBatch[],
  columns: readonly ReadColumn[],
  onBadCell?: (cell: BadCell) => void,
): readonly RecordBatch[] {
  if (!columns.some(isInt96)) return batches;
  let rowStart = 0;
  return batches.map((batch) => {
    const children = batch.data.children.map((data, index) =>
      isInt96(columns[index]!) ? timestamps(data, columns[index]!.column.name, rowStart, onBadCell) : data,
    );
    rowStart += batch.numRows;
    const fields = batch.schema.fields.map(
      (field, index) => new Field(field.name, children[index]!.type as DataType, field.nullable),
    );
    const schema = new Schema(fields);
    const type = new Struct(fields);
    return new RecordBatch(schema, makeData({ type, length: batch.numRows, nullCount: 0, children }));
  });
}

function timestamps(
  bytes: Data,
  column: string,
  rowStart: number,
  onBadCell?: (cell: BadCell) => void,
): Data {
  const { length, nullCount, nullBitmap, offset } = bytes;
  if (!DataType.isFixedSizeBinary(bytes.type)) throw new Error(`an INT96 was decoded as ${bytes.type}`);
  const values = bytes.values as Uint8Array;
  const view = new DataView(values.buffer, values.byteOffset, values.byteLength);
  const data = new BigInt64Array(length);
  // Neighbours are mostly of one day.
  let lastDay = UNIX_EPOCH_JULIAN_DAY;
  let dayStart = 0n;
  for (let row = 0; row < length; row++) {
    if (!isValid(bytes, row)) continue;
    const day = view.getInt32(row * INT96_BYTES + 8, true);
    if (day !== lastDay) {
      lastDay = day;
      dayStart = BigInt(day - UNIX_EPOCH_JULIAN_DAY) * DAY_NANOSECONDS;
    }
    const nanoseconds = dayStart + view.getBigInt64(row * INT96_BYTES, true);
    if (nanoseconds > LARGEST || nanoseconds < SMALLEST) {
      if (onBadCell === undefined) throw new Int96RangeError(column, rowStart + row, day);
      const ofDay = view.getBigInt64(row * INT96_BYTES, true);
      const value = `${dayText(day)} + ${ofDay} ns`;
      onBadCell({ row: rowStart + row, column, reason: 'TIMESTAMP_RANGE', value });
      continue;
    }
    data[row] = nanoseconds;
  }
  return makeData({ type: new TimestampNanosecond(null), length, offset, nullCount, nullBitmap, data });
}
