import { type Data, DataType, Type, util } from 'apache-arrow';
import { isBitSet, isValid } from '../base/arrowColumns.ts';

/** Whether a column holds integers (booleans count as 0 and 1), or only nulls. */
export function isIntColumn(type: DataType): boolean {
  return DataType.isInt(type) || DataType.isBool(type) || DataType.isNull(type);
}

/** Whether a column may hold integers, written as other numbers too: pandas makes floats of integers with nulls, warehouses decimals. */
export function isIdColumn(type: DataType): boolean {
  return isIntColumn(type) || DataType.isFloat(type) || (DataType.isDecimal(type) && type.scale === 0);
}

/** Whether a column holds UTF-8 text or untyped bytes (old writers leave text unmarked), or only nulls. */
export function isStringColumn(type: DataType): boolean {
  return DataType.isUtf8(type) || DataType.isBinary(type) || DataType.isNull(type);
}

export function isNumberColumn(type: DataType): boolean {
  return isIntColumn(type) || DataType.isFloat(type) || DataType.isDecimal(type);
}

/** Calls back with every null slot of rows [start, end). */
export function forEachNull(data: Data, start: number, end: number, callback: (row: number) => void): void {
  if (DataType.isNull(data.type)) {
    for (let row = start; row < end; row++) callback(row);
    return;
  }
  if (data.nullCount === 0) return;
  for (let row = start; row < end; row++) if (!isValid(data, row)) callback(row);
}

/** Reusable halves of 64-bit integers; grows as needed. */
export class IntScratch {
  highs = new Int32Array(0);
  lows = new Int32Array(0);

  ensure(count: number): void {
    if (this.lows.length >= count) return;
    this.highs = new Int32Array(count);
    this.lows = new Int32Array(count);
  }
}

/**
 * Widens rows [start, end) of an integer or boolean column to 64 bits, sign-extended, into `into` from 0 on.
 * Null slots hold arbitrary values.
 */
export function readIntegers(data: Data, start: number, end: number, into: IntScratch): void {
  const count = end - start;
  into.ensure(count);
  const { highs, lows } = into;
  if (DataType.isNull(data.type)) return;
  if (DataType.isBool(data.type)) {
    highs.fill(0, 0, count);
    for (let i = 0; i < count; i++) {
      const bit = data.offset + start + i;
      lows[i] = isBitSet(data.values as Uint8Array, bit) ? 1 : 0;
    }
    return;
  }
  const values = data.values as Int32Array | BigInt64Array;
  if (values instanceof BigInt64Array || values instanceof BigUint64Array) {
    const halves = new Int32Array(values.buffer, values.byteOffset, 2 * values.length);
    for (let i = 0, at = 2 * start; i < count; i++, at += 2) {
      lows[i] = halves[at]!;
      highs[i] = halves[at + 1]!;
    }
    return;
  }
  const isSigned = (data.type as { readonly isSigned?: boolean }).isSigned !== false;
  for (let i = 0; i < count; i++) {
    const value = values[start + i]!;
    lows[i] = value;
    highs[i] = isSigned ? value >> 31 : 0;
  }
}

/** As `readIntegers`: each value's halves beside each other, the low one first. */
export function readHalves(
  data: Data,
  start: number,
  end: number,
  into: Int32Array,
  scratch: IntScratch,
): void {
  const { values } = data;
  if (values instanceof BigInt64Array || values instanceof BigUint64Array) {
    const halves = new Int32Array(values.buffer, values.byteOffset, 2 * values.length);
    into.set(halves.subarray(2 * start, 2 * end));
    return;
  }
  readIntegers(data, start, end, scratch);
  joinHalves(scratch, 0, end - start, into);
}

/** The halves of `count` integers from one place on beside each other, the low one first. */
export function joinHalves({ highs, lows }: IntScratch, from: number, count: number, into: Int32Array): void {
  for (let at = 0; at < count; at++) {
    into[2 * at] = lows[from + at]!;
    into[2 * at + 1] = highs[from + at]!;
  }
}

/**
 * Reads rows [start, end) of a number column as float64 into `into` from 0 on; null becomes NaN.
 * Numbers beyond 2^53 and decimals become the nearest float64.
 */
export function readNumbers(data: Data, start: number, end: number, into: Float64Array): void {
  const count = end - start;
  readNonNullNumbers(data, start, count, into);
  forEachNull(data, start, end, (row) => {
    into[row - start] = Number.NaN;
  });
}

const integers = new IntScratch();

function readNonNullNumbers(data: Data, start: number, count: number, into: Float64Array): void {
  switch (data.type.typeId as Type) {
    case Type.Null:
      return;
    case Type.Float: {
      if (data.values instanceof Float64Array) {
        into.set(data.values.subarray(start, start + count));
        return;
      }
      const isHalf = data.values instanceof Uint16Array;
      for (let i = 0; i < count; i++) {
        const value = (data.values as Float64Array)[start + i]!;
        into[i] = isHalf ? util.uint16ToFloat64(value) : value;
      }
      return;
    }
    case Type.Decimal: {
      const { scale } = data.type as unknown as { scale: number };
      for (let i = 0; i < count; i++) into[i] = decimalToNumber(unscaledDecimal(data, start + i), scale);
      return;
    }
    default: {
      readIntegers(data, start, start + count, integers);
      const unsigned = (data.type as { readonly isSigned?: boolean }).isSigned === false;
      for (let i = 0; i < count; i++) {
        const high = integers.highs[i]!;
        into[i] = (unsigned ? high >>> 0 : high) * 2 ** 32 + (integers.lows[i]! >>> 0);
      }
    }
  }
}

/** Up to this power, 10^scale is a float64 exactly. */
const LARGEST_EXACT_SCALE = 22;

/** The digits of a row of decimals as an integer, whatever their scale: little-endian two's complement words of 32 bits. */
export function unscaledDecimal(data: Data, row: number): bigint {
  const words = data.values as Uint32Array;
  const wordCount = (data.type as unknown as { bitWidth: number }).bitWidth / 32;
  const from = row * wordCount;
  let unscaled = BigInt(words[from + wordCount - 1]! | 0);
  for (let word = wordCount - 2; word >= 0; word--) {
    unscaled = (unscaled << 32n) | BigInt(words[from + word]!);
  }
  return unscaled;
}

/** The float64 nearest to an integer divided by 10^scale. */
function decimalToNumber(unscaled: bigint, scale: number): number {
  const integer = Number(unscaled);
  // A quotient of exact numbers is rounded once.
  if (Number.isSafeInteger(integer) && scale >= 0 && scale <= LARGEST_EXACT_SCALE)
    return integer / 10 ** scale;
  return Number(`${unscaled}e${-scale}`);
}
