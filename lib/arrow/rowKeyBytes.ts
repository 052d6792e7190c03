import { type Data, DataType, type RecordBatch } from 'apache-arrow';
import { columnOf, isValid } from '../base/arrowColumns.ts';
import { Ncs4cvrError } from '../base/errors.ts';
import { IntScratch, readIntegers } from '../features/columnValues.ts';

/** First byte of an encoded value: of numbers, eight more follow, of bytes their number and they themselves. */
export const NULL = 0;
export const NUMBER = 1;
/** Integers from 2^63 on share their other bytes with negative ones. */
export const NEGATIVE = 2;
export const BYTES = 3;

/**
 * What a row key's column holds, in words. Keys of one kind compare exactly, whatever the width of an integer and whether
 * text is marked as such; dates and timestamps only with their own unit and time zone.
 */
export function keyKindOf(type: DataType): string {
  if (DataType.isInt(type)) return 'integer';
  return isBytes(type) ? 'text or bytes' : String(type);
}

export function isBytes(type: DataType): boolean {
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
