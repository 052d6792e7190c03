import { isUtf8 } from 'node:buffer';
import { type Binary, type Data, DataType, type Int, makeData, type Utf8 } from 'apache-arrow';
import type { ParquetType } from 'hyparquet';
import type { ColumnMemory } from './columnMemory.ts';
import type { PageMemory } from './pageMemory.ts';

/** Whether columns of these types can be read: integers, floating-point numbers, text and bytes. */
export function isDictionaryType(type: DataType, stored: ParquetType): boolean {
  if (DataType.isInt(type)) return stored === (type.bitWidth === 64 ? 'INT64' : 'INT32');
  if (DataType.isFloat(type)) return stored === (['', 'FLOAT', 'DOUBLE'] as const)[type.precision];
  return stored === 'BYTE_ARRAY' && (DataType.isUtf8(type) || DataType.isBinary(type));
}

/** Bytes of a stored value; 0 for text and bytes. @param type one for which `isDictionaryType` is true */
export function valueWidth(type: DataType): number {
  if (DataType.isInt(type)) return type.bitWidth === 64 ? 8 : 4;
  return DataType.isFloat(type) ? 4 * type.precision : 0;
}

/** Values as kernels/pageKernels.ts leaves them. */
export interface PlacedValues {
  readonly pages: PageMemory;
  /** Their address. */
  readonly values: number;
  /** Address of the ends of texts or bytes, with a 0 before the first. */
  readonly ends: number;
  readonly count: number;
}

/**
 * @param type one for which `isDictionaryType` is true
 * @param memory of the copy that is returned
 * @returns undefined where a value isn't one of the type, such as text that isn't UTF-8
 */
export function valuesData(type: DataType, placed: PlacedValues, memory: ColumnMemory): Data | undefined {
  return valueWidth(type) === 0 ? sizedValues(type, placed, memory) : fixedValues(type, placed, memory);
}

function fixedValues(
  type: DataType,
  { pages, values, count: length }: PlacedValues,
  memory: ColumnMemory,
): Data | undefined {
  const width = valueWidth(type);
  const bytes = memory.takeBytes(width * length);
  bytes.set(pages.bytes(values, width * length));
  // Or shared memory: it is the same to views.
  const buffer = bytes.buffer as ArrayBuffer;
  const { byteOffset } = bytes;
  if (DataType.isFloat(type)) {
    const Values = width === 8 ? Float64Array : Float32Array;
    return makeData({ type, length, nullCount: 0, data: new Values(buffer, byteOffset, length) });
  }
  const integers = type as Int;
  if (width === 8) {
    const Values = integers.isSigned ? BigInt64Array : BigUint64Array;
    return makeData({ type: integers, length, nullCount: 0, data: new Values(buffer, byteOffset, length) });
  }
  const stored = new Int32Array(buffer, byteOffset, length);
  if (integers.bitWidth === 32) {
    const data = integers.isSigned ? stored : new Uint32Array(buffer, byteOffset, length);
    return makeData({ type: integers, length, nullCount: 0, data });
  }
  const data = new (integers.ArrayType as Int32ArrayConstructor)(stored);
  // The file may say what the narrower type can't hold.
  if (stored.some((value, index) => value !== data[index])) return undefined;
  return makeData({ type: integers, length, nullCount: 0, data });
}

function sizedValues(
  type: DataType,
  { pages, values, ends, count: length }: PlacedValues,
  memory: ColumnMemory,
): Data | undefined {
  const valueOffsets = memory.takeIntegers(length + 1);
  valueOffsets.set(pages.integers(ends, length + 1));
  const data = memory.takeBytes(valueOffsets[length]!);
  data.set(pages.bytes(values, data.length));
  if (DataType.isUtf8(type)) {
    if (!isUtf8(data)) return undefined;
    // All together may be text where a character begins in one value and ends in the next.
    for (const start of valueOffsets) if ((data[start] ?? 0) >> 6 === 0b10) return undefined;
  }
  return makeData({ type: type as Utf8 | Binary as Utf8, length, nullCount: 0, valueOffsets, data });
}
