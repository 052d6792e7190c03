/*
 * The values of a column, those of dictionaries and plain ones, and indices of them. See pageKernels.ts.
 */

import { areBelow, decodeHybrid, WIDEST_BITS } from './hybridRuns';
import { BODY_END, BODY_START, DICTIONARY_COUNT, ENCODING, PLAIN } from './pageNumbers';

// The column at hand.
let valueBytes: usize = 0;
let valuesAt: usize = 0;
let valuesEnd: usize = 0;
let endsAt: usize = 0;
let mostValues: usize = 0;
let valueCount: usize = 0;
/** Of the row group's dictionary among all values. */
let dictionaryStart: usize = 0;
let dictionaryEnd: usize = 0;

/**
 * Where the values of the next column go, dictionaries and plain ones one behind the other.
 * @param bytes of a value; 0 for those that have their length before them, whose ends are then stored
 * @param most values, for which there are ends and one more
 */
export function placeValues(bytes: usize, at: usize, end: usize, ends: usize, most: usize): void {
  valueBytes = bytes;
  valuesAt = at;
  valuesEnd = end;
  endsAt = ends;
  mostValues = most;
  valueCount = 0;
  if (bytes === 0) store<i32>(ends, 0);
}

export function valuesFound(): usize {
  return valueCount;
}

/** Each row group has one of its own. */
export function forgetDictionary(): void {
  dictionaryStart = valueCount;
  dictionaryEnd = valueCount;
}

/** @returns false when it isn't there */
export function addDictionary(page: usize): bool {
  if (
    !addValues(
      load<usize>(page, BODY_START),
      load<usize>(page, BODY_END),
      load<usize>(page, DICTIONARY_COUNT),
    )
  )
    return false;
  dictionaryEnd = valueCount;
  return true;
}

/** Values in Parquet's PLAIN encoding. @returns false when there aren't so many */
function addValues(start: usize, end: usize, count: usize): bool {
  if (valueBytes === 0) return addSizedValues(start, end, count);
  const bytes = <u64>count * valueBytes;
  const to = valuesAt + valueCount * valueBytes;
  if (bytes > <u64>(end - start) || bytes > <u64>(valuesEnd - to)) return false;
  memory.copy(to, start, <usize>bytes);
  valueCount += count;
  return true;
}

function addSizedValues(start: usize, end: usize, count: usize): bool {
  if (count > mostValues - valueCount) return false;
  let ends = endsAt + 4 * valueCount;
  let to = valuesAt + load<usize>(ends);
  let at = start;
  for (let index: usize = 0; index < count; index++) {
    if (at + 4 > end) return false;
    const size = load<usize>(at);
    at += 4;
    if (size > end - at || size > valuesEnd - to) return false;
    if (size <= 16) {
      for (const last = to + size; to < last; to++, at++) store<u8>(to, load<u8>(at));
    } else {
      memory.copy(to, at, size);
      to += size;
      at += size;
    }
    ends += 4;
    store<usize>(ends, to - valuesAt);
  }
  valueCount += count;
  return true;
}

/** Decodes the indices of so many values. @returns false when they aren't there */
export function decodeValues(page: usize, start: usize, end: usize, count: usize, to: usize): bool {
  if (count === 0) return true;
  if (load<i32>(page, ENCODING) === PLAIN) {
    const first = valueCount;
    if (!addValues(start, end, count)) return false;
    for (let index: usize = 0; index < count; index++) store<usize>(to + 4 * index, first + index);
    return true;
  }
  if (start >= end) return false;
  const bitWidth = <i32>load<u8>(start);
  if (bitWidth > WIDEST_BITS) return false;
  const bits = decodeHybrid(start + 1, end, bitWidth, to, count, dictionaryStart);
  return areBelow(<i32>(dictionaryEnd - dictionaryStart), bits, to, count, dictionaryStart);
}
