import { type Data, DataType, Int64, makeData, Utf8 } from 'apache-arrow';
import { isValid } from '../base/arrowColumns.ts';
import { readNumbers, unscaledDecimal } from './columnValues.ts';

/** Values as tables take them, integers or text, made of values of another type. */
export interface PlainValues {
  readonly data: Data;
  /** Values that can't be read, as text, by their places; they are null in `data`. */
  readonly unreadable: ReadonlyMap<number, string>;
}

export const NONE: PlainValues['unreadable'] = new Map();

/** Makes values of a column, which is no dictionary and no list, plain. */
export type Conversion = (data: Data) => PlainValues;

/**
 * Makes 64-bit integers of floats: pandas keeps a column of integers with nulls as float64. NaN is null. Beyond 2^53 neighbours
 * share a float64, so that nobody knows which one was meant.
 */
export function wholeNumbers(data: Data): PlainValues {
  const { length } = data;
  const numbers = new Float64Array(length);
  readNumbers(data, 0, length, numbers);
  const integers = new BigInt64Array(length);
  const validity = new Uint8Array((length + 7) >> 3);
  const unreadable = new Map<number, string>();
  let nullCount = 0;
  for (let place = 0; place < length; place++) {
    const number = numbers[place]!;
    if (Number.isSafeInteger(number)) {
      integers[place] = BigInt(number);
      validity[place >> 3]! |= 1 << (place & 7);
      continue;
    }
    nullCount++;
    if (!Number.isNaN(number)) unreadable.set(place, String(number));
  }
  const nullBitmap = nullCount === 0 ? undefined : validity;
  return { data: makeData({ type: new Int64(), length, nullCount, nullBitmap, data: integers }), unreadable };
}

/** Makes 64-bit integers of decimals without digits behind the point, of which every digit is known. */
export function wholeDecimals(data: Data): PlainValues {
  const { length, nullCount, nullBitmap, offset } = data;
  const integers = new BigInt64Array(length);
  const unreadable = new Map<number, string>();
  for (let place = 0; place < length; place++) {
    if (!isValid(data, place)) continue;
    const value = unscaledDecimal(data, place);
    integers[place] = value;
    if (integers[place] !== value) unreadable.set(place, String(value));
  }
  const type = new Int64();
  return { data: makeData({ type, length, offset, nullCount, nullBitmap, data: integers }), unreadable };
}

const UUID_BYTES = 16;
/** Bytes of a UUID behind which its text has a hyphen. */
const HYPHENS: ReadonlySet<number> = new Set([4, 6, 8, 10]);
const DIGITS = new TextEncoder().encode('0123456789abcdef');
const HYPHEN = '-'.charCodeAt(0);

/** Makes text of bytes of one length: 16 of them as a UUID is written, others as `hexText` writes them. */
export function fixedText(data: Data): PlainValues {
  const byteWidth = (data.type as DataType & { readonly byteWidth: number }).byteWidth;
  return byteWidth === UUID_BYTES ? asText(data, HYPHENS) : hexText(data);
}

/** Makes text of bytes: two hexadecimal digits each, in lower case. */
export function hexText(data: Data): PlainValues {
  return asText(data, new Set());
}

function asText(data: Data, hyphens: ReadonlySet<number>): PlainValues {
  const { length, nullCount, nullBitmap, offset } = data;
  const bytes = data.values as Uint8Array;
  const { starts, ends } = boundsOf(data);
  const valueOffsets = new Int32Array(length + 1);
  for (let place = 0; place < length; place++) {
    const size = isValid(data, place) ? ends(place) - starts(place) : 0;
    const hyphenCount = size === UUID_BYTES ? hyphens.size : 0;
    valueOffsets[place + 1] = valueOffsets[place]! + 2 * size + hyphenCount;
  }
  const text = new Uint8Array(valueOffsets[length]!);
  let to = 0;
  for (let place = 0; place < length; place++) {
    if (!isValid(data, place)) continue;
    const start = starts(place);
    for (let at = start; at < ends(place); at++) {
      if (hyphens.has(at - start)) text[to++] = HYPHEN;
      text[to++] = DIGITS[bytes[at]! >> 4]!;
      text[to++] = DIGITS[bytes[at]! & 15]!;
    }
  }
  const type = new Utf8();
  return {
    data: makeData({ type, length, offset, nullCount, nullBitmap, valueOffsets, data: text }),
    unreadable: NONE,
  };
}

/** Where the bytes of a value lie. */
function boundsOf(data: Data) {
  if (DataType.isFixedSizeBinary(data.type)) {
    const { byteWidth } = data.type;
    return {
      starts: (place: number) => place * byteWidth,
      ends: (place: number) => (place + 1) * byteWidth,
    };
  }
  const offsets = data.valueOffsets as Int32Array;
  return { starts: (place: number) => offsets[place]!, ends: (place: number) => offsets[place + 1]! };
}
