import { isUtf8 } from 'node:buffer';
import { type Binary, type Data, DataType, type Int, makeData, type Utf8 } from 'apache-arrow';
import type { ParquetType } from 'hyparquet';
import type { PageSection } from './levels.ts';
import type { ReusedMemory } from './reusedMemory.ts';

/** How much memory values of pages take at most. */
export interface ValuesSize {
  readonly values: number;
  readonly bytes: number;
}

/** Values in Parquet's PLAIN encoding gathered from pages, one behind the other. */
export interface DictionaryValues {
  readonly size: number;
  /** Appends the first `count` values of a section. @returns false when it doesn't hold so many, or there is no room for them */
  readonly add: (section: PageSection, count: number) => boolean;
  /** @returns undefined where a value isn't one of the type, such as text that isn't UTF-8 */
  readonly finish: () => Data | undefined;
}

/** Whether columns of these types can be read: integers, floating-point numbers, text and bytes. */
export function isDictionaryType(type: DataType, stored: ParquetType): boolean {
  if (DataType.isInt(type)) return stored === (type.bitWidth === 64 ? 'INT64' : 'INT32');
  if (DataType.isFloat(type)) return stored === (['', 'FLOAT', 'DOUBLE'] as const)[type.precision];
  return stored === 'BYTE_ARRAY' && (DataType.isUtf8(type) || DataType.isBinary(type));
}

/**
 * @param type one for which `isDictionaryType` is true
 * @param size of all sections together
 * @param memory of the values
 */
export function dictionaryValues(type: DataType, size: ValuesSize, memory: ReusedMemory): DictionaryValues {
  const isFixed = DataType.isInt(type) || DataType.isFloat(type);
  return isFixed ? new FixedValues(type, size, memory) : new ByteValues(type, size, memory);
}

class FixedValues implements DictionaryValues {
  size = 0;
  readonly #type: DataType;
  readonly #valueBytes: number;
  readonly #bytes: Uint8Array<ArrayBuffer>;

  constructor(type: DataType, { bytes }: ValuesSize, memory: ReusedMemory) {
    this.#type = type;
    this.#bytes = memory.takeBytes(bytes);
    const isWide = DataType.isInt(type)
      ? type.bitWidth === 64
      : DataType.isFloat(type) && type.precision === 2;
    this.#valueBytes = isWide ? 8 : 4;
  }

  add({ bytes: { bytes }, start, end }: PageSection, count: number): boolean {
    const sizeBytes = count * this.#valueBytes;
    if (end - start < sizeBytes) return false;
    const at = this.size * this.#valueBytes;
    if (at + sizeBytes > this.#bytes.length) return false;
    this.#bytes.set(bytes.subarray(start, start + sizeBytes), at);
    this.size += count;
    return true;
  }

  finish(): Data | undefined {
    const { buffer, byteOffset } = this.#bytes;
    const length = this.size;
    if (DataType.isFloat(this.#type)) {
      const Values = this.#valueBytes === 8 ? Float64Array : Float32Array;
      return makeData({
        type: this.#type,
        length,
        nullCount: 0,
        data: new Values(buffer, byteOffset, length),
      });
    }
    const type = this.#type as Int;
    if (type.bitWidth === 64) {
      const Values = type.isSigned ? BigInt64Array : BigUint64Array;
      return makeData({ type, length, nullCount: 0, data: new Values(buffer, byteOffset, length) });
    }
    const stored = new Int32Array(buffer, byteOffset, length);
    if (type.bitWidth === 32) {
      const data = type.isSigned ? stored : new Uint32Array(buffer, byteOffset, length);
      return makeData({ type, length, nullCount: 0, data });
    }
    const data = new (type.ArrayType as Int32ArrayConstructor)(stored);
    // The file may say what the narrower type can't hold.
    if (stored.some((value, index) => value !== data[index])) return undefined;
    return makeData({ type, length, nullCount: 0, data });
  }
}

/** Each value's length in four bytes comes before it. */
const LENGTH_BYTES = 4;

class ByteValues implements DictionaryValues {
  size = 0;
  readonly #type: DataType;
  readonly #bytes: Uint8Array;
  /** Where each value ends, behind the beginning of the first. */
  readonly #ends: Int32Array;

  constructor(type: DataType, { values, bytes }: ValuesSize, memory: ReusedMemory) {
    this.#type = type;
    this.#bytes = memory.takeBytes(bytes);
    // Each takes a length at least, whatever a header says.
    this.#ends = memory.takeIntegers(Math.min(values, Math.floor(bytes / LENGTH_BYTES)) + 1);
    this.#ends[0] = 0;
  }

  add({ bytes: { bytes, view }, start: first, end }: PageSection, count: number): boolean {
    let to = this.#ends[this.size]!;
    if (to + end - first > this.#bytes.length || this.size + count >= this.#ends.length) return false;
    const into = this.#bytes;
    const ends = this.#ends;
    let at = first;
    for (let index = this.size + 1; index <= this.size + count; index++) {
      if (at + LENGTH_BYTES > end) return false;
      const start = at + LENGTH_BYTES;
      at = start + view.getUint32(at, true);
      if (at > end) return false;
      for (let from = start; from < at; from++) into[to++] = bytes[from]!;
      ends[index] = to;
    }
    this.size += count;
    return true;
  }

  finish(): Data | undefined {
    const type = this.#type as Utf8 | Binary;
    const length = this.size;
    const valueOffsets = this.#ends.subarray(0, length + 1);
    const data = this.#bytes.subarray(0, valueOffsets[length]);
    if (DataType.isUtf8(type)) {
      if (!isUtf8(data)) return undefined;
      // All together may be text where a character begins in one value and ends in the next.
      for (const start of valueOffsets) if ((data[start] ?? 0) >> 6 === 0b10) return undefined;
    }
    return makeData({ type: type as Utf8, length, nullCount: 0, valueOffsets, data });
  }
}
