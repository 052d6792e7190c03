import { type Data, DataType, DateUnit, type RecordBatch, type Timestamp, TimeUnit } from 'apache-arrow';
import { columnOf } from '../base/arrowColumns.ts';
import { Ncs4cvrError } from '../base/errors.ts';
import { IntScratch, isValid, readIntegers } from '../features/columnValues.ts';

/** First byte of an encoded value. Integers from 2^63 on and negative ones share their other bytes. */
const NULL = 0;
const NUMBER = 1;
const NEGATIVE = 2;
const BYTES = 3;

/**
 * What a row key's column holds, in words. Keys of one kind compare exactly, whatever the width of an integer and whether
 * text is marked as such; dates and timestamps only with their own unit and time zone.
 */
export function keyKindOf(type: DataType): string {
  if (DataType.isInt(type)) return 'integer';
  return isBytes(type) ? 'text or bytes' : String(type);
}

function isBytes(type: DataType): boolean {
  return DataType.isUtf8(type) || DataType.isBinary(type) || DataType.isFixedSizeBinary(type);
}

/**
 * Row keys as bytes: two rows have the same bytes if, and only if, their keys are of one kind (`keyKindOf`) and equal. Null
 * equals null. Reads batch by batch; holds the bytes of one row.
 */
export class RowKeyBytes {
  readonly columns: readonly string[];
  #bytes = new Uint8Array(256);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;
  #appenders: readonly ((row: number) => void)[] = [];
  readonly #integers: readonly IntScratch[];

  constructor(columns: readonly string[]) {
    this.columns = columns;
    this.#integers = columns.map(() => new IntScratch());
  }

  /** The bytes so far of the row that was read last, at the start of this array; valid until the next read. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** How many of `bytes` count. */
  get length(): number {
    return this.#length;
  }

  /** Reads rows of this batch from now on. @throws Ncs4cvrError PREDICTION_FILE_INVALID when it lacks a column */
  use(batch: RecordBatch): void {
    this.#appenders = this.columns.map((name, index) => {
      const data = columnOf(batch, name);
      if (data !== undefined) return this.#appender(data, batch.numRows, this.#integers[index]!);
      throw new Ncs4cvrError('PREDICTION_FILE_INVALID', 'a row key is missing', {
        column: name,
        found: batch.schema.fields.map((field) => field.name).join(', '),
      });
    });
  }

  /** Appends the columns [first, end) of a row; from the first column on it is another row. @returns `length` */
  read(row: number, first = 0, end = this.columns.length): number {
    if (first === 0) this.#length = 0;
    for (let column = first; column < end; column++) this.#appenders[column]!(row);
    return this.#length;
  }

  #appender(data: Data, rowCount: number, integers: IntScratch): (row: number) => void {
    const { type } = data;
    const orNull = (append: (row: number) => void) => (row: number) => {
      if (isValid(data, row)) append(row);
      else this.#append(NULL, 0);
    };
    if (DataType.isFixedSizeBinary(type)) {
      const { byteWidth } = type;
      return orNull((row) =>
        this.#appendBytes(data.values as Uint8Array, row * byteWidth, (row + 1) * byteWidth),
      );
    }
    if (isBytes(type)) {
      const offsets = data.valueOffsets as Int32Array;
      return orNull((row) => this.#appendBytes(data.values as Uint8Array, offsets[row]!, offsets[row + 1]!));
    }
    readIntegers(data, 0, rowCount, integers);
    const isSigned = !DataType.isInt(type) || type.isSigned;
    return orNull((row) => {
      const high = integers.highs[row]!;
      const at = this.#append(isSigned && high < 0 ? NEGATIVE : NUMBER, 8);
      this.#view.setInt32(at, integers.lows[row]!, true);
      this.#view.setInt32(at + 4, high, true);
    });
  }

  #appendBytes(values: Uint8Array, start: number, end: number): void {
    const at = this.#append(BYTES, 4 + end - start);
    this.#view.setUint32(at, end - start, true);
    for (let from = start, to = at + 4; from < end; from++, to++) this.#bytes[to] = values[from]!;
  }

  /** A tag, and room for so many bytes. @returns where they begin */
  #append(tag: number, sizeBytes: number): number {
    const at = this.#length + 1;
    this.#length = at + sizeBytes;
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(2 * this.#length);
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    this.#bytes[at - 1] = tag;
    return at;
  }
}

/** The values of a key from its bytes, as text; null for null. @param types of its columns */
export function keyTexts(bytes: Uint8Array, types: readonly DataType[]): (string | null)[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  return types.map((type) => {
    const tag = bytes[at++]!;
    if (tag === NULL) return null;
    if (tag === BYTES) {
      const start = at + 4;
      at = start + view.getUint32(at, true);
      return textOrHex(bytes.subarray(start, at));
    }
    const value = tag === NEGATIVE ? view.getBigInt64(at, true) : view.getBigUint64(at, true);
    at += 8;
    return DataType.isInt(type) ? String(value) : timeText(value, type);
  });
}

function textOrHex(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return `0x${Buffer.from(bytes).toString('hex')}`;
  }
}

const DAY_MILLIS = 86_400_000n;

/** As ISO 8601 writes it; beyond the years of Date, and with digits below the millisecond, the column's whole number. */
function timeText(value: bigint, type: DataType): string {
  const isDate = DataType.isDate(type);
  const [millisPerUnit, unitsPerMilli] = isDate
    ? [type.unit === DateUnit.DAY ? DAY_MILLIS : 1n, 1n]
    : unitsOf((type as Timestamp).unit);
  if (value % unitsPerMilli !== 0n) return String(value);
  const time = new Date(Number((value * millisPerUnit) / unitsPerMilli));
  if (Number.isNaN(time.getTime())) return String(value);
  const text = time.toISOString();
  return isDate && value % (DAY_MILLIS / millisPerUnit) === 0n ? text.slice(0, text.indexOf('T')) : text;
}

function unitsOf(unit: TimeUnit): [millisPerUnit: bigint, unitsPerMilli: bigint] {
  if (unit === TimeUnit.SECOND) return [1000n, 1n];
  if (unit === TimeUnit.MILLISECOND) return [1n, 1n];
  return unit === TimeUnit.MICROSECOND ? [1n, 1000n] : [1n, 1_000_000n];
}
