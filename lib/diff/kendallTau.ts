/** How the order of some rows by one score agrees with their order by another. */
export interface RankAgreement {
  /**
   * Kendall's tau-b, from -1 (reversed) to 1 (the same order); null where one of the scores is the same for all rows, or there
   * are fewer than two. M. G. Kendall, "The treatment of ties in ranking problems", Biometrika 33 (1945).
   */
  readonly tau: number | null;
  /** Whether any two rows stand otherwise to each other: swapped, tied or no longer tied. */
  readonly isChanged: boolean;
}

/** Memory of one call, kept for the next: of many small groups, most of the work would be to allocate it. */
export class PairScratch {
  #words = new Uint32Array(0);
  #pairs = new BigUint64Array(0);
  #from = new Uint32Array(0);
  #to = new Uint32Array(0);

  /** For `count` pairs of words: the low word of each first, as this machine and every other that Node runs on keeps them. */
  ensure(count: number): void {
    if (this.#from.length >= count) return;
    const size = Math.max(64, 2 ** Math.ceil(Math.log2(count)));
    this.#pairs = new BigUint64Array(size);
    this.#words = new Uint32Array(this.#pairs.buffer);
    this.#from = new Uint32Array(size);
    this.#to = new Uint32Array(size);
  }

  set(index: number, high: number, low: number): void {
    this.#words[2 * index] = low;
    this.#words[2 * index + 1] = high;
  }

  /** Sorts the first pairs in ascending order: without a function to compare, V8 sorts them natively. */
  sort(count: number): void {
    this.#pairs.subarray(0, count).sort();
  }

  high(index: number): number {
    return this.#words[2 * index + 1]!;
  }

  low(index: number): number {
    return this.#words[2 * index]!;
  }

  /** The low words of the first pairs, to be sorted; and as much room beside them. */
  lows(count: number): [lows: Uint32Array, room: Uint32Array] {
    for (let index = 0; index < count; index++) this.#from[index] = this.#words[2 * index]!;
    return [this.#from.subarray(0, count), this.#to.subarray(0, count)];
  }
}

/**
 * Kendall's tau-b in O(n log n): W. R. Knight, "A computer method for calculating Kendall's tau with ungrouped data", JASA 61
 * (1966). Exact counts up to 2^26 rows, whose pairs are fewer than 2^53.
 * @param a @param b bits of the rows' float32 scores in [0, 1]: of such, larger bits are the larger number
 */
export function kendallTau(
  a: Uint32Array,
  b: Uint32Array,
  scratch: PairScratch = new PairScratch(),
): RankAgreement {
  const count = a.length;
  if (count < 2) return { tau: null, isChanged: false };
  scratch.ensure(count);
  for (let row = 0; row < count; row++) scratch.set(row, a[row]!, b[row]!);
  scratch.sort(count);
  const isTiedInA = (index: number) => scratch.high(index) === scratch.high(index - 1);
  const tiedInA = tiedPairs(count, isTiedInA);
  const tiedInBoth = tiedPairs(
    count,
    (index) => isTiedInA(index) && scratch.low(index) === scratch.low(index - 1),
  );
  const [lows, room] = scratch.lows(count);
  const { sorted, inversions: discordant } = sortCounting(lows, room);
  const tiedInB = tiedPairs(count, (index) => sorted[index] === sorted[index - 1]);
  const all = (count * (count - 1)) / 2;
  const concordant = all - tiedInA - tiedInB + tiedInBoth - discordant;
  const scale = Math.sqrt(all - tiedInA) * Math.sqrt(all - tiedInB);
  // Rounding of the square roots must not lead out of [-1, 1].
  const tau = scale === 0 ? null : Math.max(-1, Math.min(1, (concordant - discordant) / scale));
  return { tau, isChanged: discordant > 0 || tiedInA !== tiedInBoth || tiedInB !== tiedInBoth };
}

/** Pairs of equal values among sorted ones. @param isTied whether a value is equal to the one before it */
function tiedPairs(count: number, isTied: (index: number) => boolean): number {
  let pairs = 0;
  let run = 1;
  for (let index = 1; index <= count; index++) {
    if (index < count && isTied(index)) run++;
    else {
      pairs += (run * (run - 1)) / 2;
      run = 1;
    }
  }
  return pairs;
}

/** Merge sort from the bottom; counts the pairs that stand in descending order. */
function sortCounting(
  values: Uint32Array,
  room: Uint32Array,
): { readonly sorted: Uint32Array; readonly inversions: number } {
  let [from, to] = [values, room];
  let inversions = 0;
  for (let width = 1; width < from.length; width *= 2) {
    for (let start = 0; start < from.length; start += 2 * width) {
      const middle = Math.min(start + width, from.length);
      const end = Math.min(start + 2 * width, from.length);
      let [left, right] = [start, middle];
      for (let at = start; at < end; at++) {
        if (right === end || (left < middle && from[left]! <= from[right]!)) to[at] = from[left++]!;
        else {
          inversions += middle - left;
          to[at] = from[right++]!;
        }
      }
    }
    [from, to] = [to, from];
  }
  return { sorted: from, inversions };
}
