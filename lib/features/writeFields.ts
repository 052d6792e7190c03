import { type BinCounter, LANES } from './binCounter.ts';
import type { EncodedValues } from './fieldValues.ts';

/** Writes one value per row, `width` numbers apart, and counts it. Written out for LANES rows: stores would wait for each other. */
export function writeSingles(
  { values, bins, places, from }: EncodedValues<Int32Array>,
  { counts, laneWidth }: BinCounter,
  count: number,
  into: Int32Array,
  first: number,
  width: number,
): void {
  let place = from;
  let to = first;
  for (const end = from + count - (count % LANES); place < end; place += LANES, to += LANES * width) {
    const a = places[place]!;
    const b = places[place + 1]!;
    const c = places[place + 2]!;
    const d = places[place + 3]!;
    into[to] = values[a]!;
    into[to + width] = values[b]!;
    into[to + 2 * width] = values[c]!;
    into[to + 3 * width] = values[d]!;
    counts[bins[a]!]!++;
    counts[laneWidth + bins[b]!]!++;
    counts[2 * laneWidth + bins[c]!]!++;
    counts[3 * laneWidth + bins[d]!]!++;
  }
  for (const end = from + count; place < end; place++, to += width) {
    const a = places[place]!;
    into[to] = values[a]!;
    counts[bins[a]!]!++;
  }
}

/** As `writeSingles`: a number and whether it is missing. */
export function writeInputs(
  { values, bins, places, from }: EncodedValues<Float32Array>,
  { counts, laneWidth, missingBin }: BinCounter,
  count: number,
  into: Float32Array,
  first: number,
  width: number,
): void {
  let place = from;
  let to = first;
  for (const end = from + count - (count % LANES); place < end; place += LANES, to += LANES * width) {
    const a = places[place]!;
    const b = places[place + 1]!;
    const c = places[place + 2]!;
    const d = places[place + 3]!;
    const binA = bins[a]!;
    const binB = bins[b]!;
    const binC = bins[c]!;
    const binD = bins[d]!;
    into[to] = values[a]!;
    into[to + 1] = binA === missingBin ? 1 : 0;
    into[to + width] = values[b]!;
    into[to + width + 1] = binB === missingBin ? 1 : 0;
    into[to + 2 * width] = values[c]!;
    into[to + 2 * width + 1] = binC === missingBin ? 1 : 0;
    into[to + 3 * width] = values[d]!;
    into[to + 3 * width + 1] = binD === missingBin ? 1 : 0;
    counts[binA]!++;
    counts[laneWidth + binB]!++;
    counts[2 * laneWidth + binC]!++;
    counts[3 * laneWidth + binD]!++;
  }
  for (const end = from + count; place < end; place++, to += width) {
    const a = places[place]!;
    into[to] = values[a]!;
    into[to + 1] = bins[a] === missingBin ? 1 : 0;
    counts[bins[a]!]!++;
  }
}

/** Where the lists of a column lie among the places of their elements. */
interface PlacedLists {
  /** Of rows [start, end): the elements of row i are [offsets[i], offsets[i + 1]). Undefined where there are none. */
  readonly offsets: Int32Array | undefined;
  readonly start: number;
  readonly end: number;
  /** Rows without a list, which may have elements all the same. */
  readonly isNull: ((row: number) => boolean) | undefined;
}

/** Where and how lists are written. */
interface ListTarget {
  readonly rows: Int32Array;
  readonly weights: Float32Array;
  readonly first: number;
  readonly width: number;
  readonly maxLength: number;
  /** 1 for the first values of a list, -1 for the last, in this order. */
  readonly step: 1 | -1;
}

/**
 * Writes the values of lists and their weights to positions that hold zeros, and counts them. Missing values (below 0 in
 * `values`) are left out; unseen ones (0) aren't written, but belong to the list.
 * @returns values that belong to lists, and rows without any
 */
export function writeLists(
  { values, bins, places, from, haveMissing }: EncodedValues<Int32Array>,
  { counts, laneWidth }: BinCounter,
  { offsets, start, end, isNull }: PlacedLists,
  { rows, weights, first, width, maxLength, step }: ListTarget,
): { readonly values: number; readonly missing: number } {
  // Of an element's place among all of the column.
  const shift = from - (offsets?.[start] ?? 0);
  let all = 0;
  let missing = 0;
  for (let row = start, listTo = first; row < end; row++, listTo += width) {
    const isPresent = offsets !== undefined && (isNull === undefined || !isNull(row));
    const listStart = isPresent ? offsets[row]! + shift : 0;
    const listEnd = isPresent ? offsets[row + 1]! + shift : 0;
    let place = step === 1 ? listStart : listEnd - 1;
    let to = listTo;
    let taken = 0;
    if (haveMissing) {
      for (let left = listEnd - listStart; left > 0 && taken < maxLength; left--, place += step) {
        const at = places[place]!;
        const value = values[at]!;
        if (value < 0) continue;
        taken++;
        counts[bins[at]!]!++;
        if (value > 0) rows[to++] = value;
      }
    } else {
      taken = Math.min(listEnd - listStart, maxLength);
      let left = taken;
      // Two at a time, and a sign in place of a branch: what is written for an unseen value is the zero that stands there.
      for (; left > 1; left -= 2, place += 2 * step) {
        const a = places[place]!;
        const b = places[place + step]!;
        const value = values[a]!;
        const next = values[b]!;
        rows[to] = value;
        to += -value >>> 31;
        rows[to] = next;
        to += -next >>> 31;
        counts[bins[a]!]!++;
        counts[laneWidth + bins[b]!]!++;
      }
      if (left > 0) {
        const a = places[place]!;
        const value = values[a]!;
        rows[to] = value;
        to += -value >>> 31;
        counts[bins[a]!]!++;
      }
    }
    all += taken;
    if (taken === 0) missing++;
    const weight = 1 / (to - listTo);
    for (let used = listTo; used < to; used++) weights[used] = weight;
  }
  return { values: all, missing };
}
