/** Bins of a sort; each then holds a few fingerprints. */
const MOST_BINS = 2 ** 20;
const PER_BIN = 4;
/** Above that, many are equal, or nearly: what an insertion sort takes too long for. */
const MOST_PER_BIN = 64;

/**
 * Sorts fingerprints that are spread evenly, as hashes are: one pass puts them into bins, and the bins are
 * sorted. Two to three times as fast as sorting a BigUint64Array, which it is for values that aren't spread.
 * @param words low and high half of each in turn, as little-endian 64-bit integers are
 * @returns a new array
 */
export function sortFingerprints(words: Uint32Array): Uint32Array {
  const count = words.length / 2;
  const binCount = Math.max(1, Math.min(MOST_BINS, Math.floor(count / PER_BIN)));
  const scale = binCount / 2 ** 32;
  const binOf = (high: number) => Math.min(binCount - 1, Math.floor(high * scale));
  const ends = new Uint32Array(binCount + 1);
  for (let at = 1; at < words.length; at += 2) ends[binOf(words[at]!) + 1]!++;
  for (let bin = 1; bin <= binCount; bin++) ends[bin]! += ends[bin - 1]!;
  const next = ends.slice();
  const sorted = new Uint32Array(words.length);
  for (let at = 0; at < words.length; at += 2) {
    const high = words[at + 1]!;
    const to = 2 * next[binOf(high)]!++;
    sorted[to] = words[at]!;
    sorted[to + 1] = high;
  }
  for (let bin = 0; bin < binCount; bin++) sortBin(sorted, ends[bin]!, ends[bin + 1]!);
  return sorted;
}

function sortBin(words: Uint32Array, start: number, end: number): void {
  if (end - start > MOST_PER_BIN) {
    new BigUint64Array(words.buffer, words.byteOffset + 8 * start, end - start).sort();
    return;
  }
  for (let each = start + 1; each < end; each++) {
    const low = words[2 * each]!;
    const high = words[2 * each + 1]!;
    let to = 2 * each;
    for (; to > 2 * start; to -= 2) {
      const highBefore = words[to - 1]!;
      if (highBefore < high || (highBefore === high && words[to - 2]! <= low)) break;
      words[to] = words[to - 2]!;
      words[to + 1] = highBefore;
    }
    words[to] = low;
    words[to + 1] = high;
  }
}

/** Entries, of sorted ones, that are equal to the one before. */
export function countRepeats(sorted: Uint32Array): number {
  let repeats = 0;
  for (let at = 2; at < sorted.length; at += 2) {
    if (sorted[at] === sorted[at - 2] && sorted[at + 1] === sorted[at - 1]) repeats++;
  }
  return repeats;
}
