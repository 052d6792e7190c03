import { hashBucket, hashBytes, seed64 } from './hash64.ts';
import { CALL_VALUES, valueMemory } from './valueMemory.ts';

/*
 * XXH64 (hash64.ts) of many values in WebAssembly: it multiplies and divides 64 bits at once, which takes a quarter of the time of
 * halves of 32, and has a value's row and bin in the same pass.
 */

/** How a table hashes its values. */
export interface HashSettings {
  /** From 1 to 2^30. */
  readonly buckets: number;
  /** In [0, 2^53). */
  readonly seed: number;
}

/** What hashed values become. */
interface HashTarget {
  /** That of id 0; ids count from 1. */
  readonly rowStart: number;
  readonly rows: Int32Array;
  /** Of ids, as `IdBins` has them. */
  readonly bins?: { readonly ends: readonly number[]; readonly into: Uint8Array };
}

/** Writes some integers, from one place on, as two halves each. */
type ReadHalves = (from: number, count: number, into: Int32Array) => void;

/** Hashes `count` 64-bit integers, as their 8 little-endian two's complement bytes. */
export function hashIntegers(
  read: ReadHalves,
  count: number,
  { buckets, seed }: HashSettings,
  target: HashTarget,
): void {
  const { kernels, halves } = valueMemory();
  const endCount = placeEnds(target);
  for (let at = 0; at < count; at += CALL_VALUES) {
    const some = Math.min(CALL_VALUES, count - at);
    read(at, some, halves);
    kernels.hashIntegers(some, BigInt(seed), BigInt(buckets), target.rowStart, endCount);
    takeRows(some, target, at);
  }
}

/** Hashes `count` texts: value i is `bytes[offsets[from + i] .. offsets[from + i + 1])`. */
export function hashTexts(
  bytes: Uint8Array,
  offsets: Int32Array,
  from: number,
  count: number,
  { buckets, seed }: HashSettings,
  target: HashTarget,
): void {
  const { kernels, text, offsets: places } = valueMemory();
  const endCount = placeEnds(target);
  for (let at = 0; at < count; ) {
    const start = offsets[from + at]!;
    const most = Math.min(CALL_VALUES, count - at);
    let some = 0;
    while (some < most) {
      const end = offsets[from + at + some + 1]! - start;
      if (end > text.length) break;
      places[++some] = end;
    }
    if (some === 0) {
      hashLongText(bytes.subarray(start, offsets[from + at + 1]), { buckets, seed }, target, at);
      at++;
      continue;
    }
    text.set(bytes.subarray(start, start + places[some]!));
    kernels.hashTexts(some, BigInt(seed), BigInt(buckets), target.rowStart, endCount);
    takeRows(some, target, at);
    at += some;
  }
}

/** One that doesn't fit into the kernels' memory. */
function hashLongText(
  bytes: Uint8Array,
  { buckets, seed }: HashSettings,
  { rowStart, rows, bins }: HashTarget,
  at: number,
): void {
  hashBytes(bytes, 0, bytes.length, seed64(seed));
  const id = 1 + hashBucket(buckets, 1 / buckets);
  rows[at] = rowStart + id;
  if (bins !== undefined) bins.into[at] = bins.ends.filter((end) => end < id).length;
}

/** Ids are whole numbers, and below 2^31: an end's digits behind the point, and what is above, change nothing. */
const LARGEST_END = 2 ** 31 - 1;

/** @returns how many */
function placeEnds({ bins }: HashTarget): number {
  const { idEnds } = valueMemory();
  const ends = bins?.ends ?? [];
  for (const [at, end] of ends.entries()) idEnds[at] = Math.min(Math.floor(end), LARGEST_END);
  return ends.length;
}

function takeRows(count: number, { rows, bins }: HashTarget, at: number): void {
  const found = valueMemory();
  rows.set(found.rows.subarray(0, count), at);
  bins?.into.set(found.bins.subarray(0, count), at);
}
