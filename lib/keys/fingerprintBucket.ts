import { mergeFingerprints } from './mergeFingerprints.ts';

/** A fingerprint that several rows have. */
export interface Suspect {
  readonly fingerprint: bigint;
  /** Which parts have such rows, in ascending order. */
  readonly parts: readonly number[];
}

/** Values that one part's file gave one after the other, in ascending order. */
interface Run {
  readonly part: number;
  /** Of values. */
  readonly start: number;
}

/** What the files of all parts hold in one range of fingerprints. */
export class FingerprintBucket {
  /** Each value once per file. */
  #words: Uint32Array;
  #length = 0;
  #runs: Run[] = [];
  #lastPart = -1;
  #most = 0;
  /** Rows of a part whose value it has before. */
  #repeatsInParts = 0;
  readonly #suspects = new Set<bigint>();
  #isAll = true;

  /** @param expected about how many values; more are taken too */
  constructor(expected: number) {
    this.#words = new Uint32Array(2 * Math.ceil(expected + 8 * Math.sqrt(expected) + 64));
  }

  /** @param mostSuspects that the next `count` gives */
  clear(mostSuspects: number): void {
    this.#length = 0;
    this.#runs = [];
    this.#lastPart = -1;
    this.#most = mostSuspects;
    this.#repeatsInParts = 0;
    this.#suspects.clear();
    this.#isAll = true;
  }

  /** What takes a part's values, as a FingerprintFile gives them; those of other parts may come in between. */
  taker(part: number): (words: Uint32Array, repeats: number) => void {
    let suspects = 0;
    return (words, repeats) => {
      if (this.#lastPart !== part) {
        this.#lastPart = part;
        this.#runs.push({ part, start: this.#length / 2 });
      }
      const length = this.#length + words.length;
      if (length > this.#words.length) {
        const longer = new Uint32Array(2 * Math.ceil(0.65 * length));
        longer.set(this.#words.subarray(0, this.#length));
        this.#words = longer;
      }
      this.#words.set(words, this.#length);
      this.#length = length;
      if (repeats === 0) return;
      this.#repeatsInParts += repeats;
      if (suspects++ < this.#most) this.#suspect(words[words.length - 2]!, words[words.length - 1]!);
      else this.#isAll = false;
    };
  }

  count(): {
    readonly repeatedRows: number;
    /** The smallest. */
    readonly suspects: readonly Suspect[];
    readonly isAll: boolean;
  } {
    const starts = this.#runs.map(({ start }) => 2 * start);
    const sorted = mergeFingerprints(this.#words.subarray(0, this.#length), starts);
    let repeatedRows = this.#repeatsInParts;
    let suspects = 0;
    for (let at = 2; at < sorted.length; at += 2) {
      const low = sorted[at]!;
      const high = sorted[at + 1]!;
      if (low !== sorted[at - 2] || high !== sorted[at - 1]) continue;
      repeatedRows++;
      if (low === sorted[at - 4] && high === sorted[at - 3]) continue;
      if (suspects++ < this.#most) this.#suspect(low, high);
      else this.#isAll = false;
    }
    const smallest = [...this.#suspects].sort((a, b) => (a < b ? -1 : 1)).slice(0, this.#most);
    return {
      repeatedRows,
      suspects: smallest.map((fingerprint) => ({ fingerprint, parts: this.#partsWith(fingerprint) })),
      isAll: this.#isAll && smallest.length === this.#suspects.size,
    };
  }

  #suspect(low: number, high: number): void {
    this.#suspects.add((BigInt(high) << 32n) | BigInt(low));
  }

  #partsWith(fingerprint: bigint): number[] {
    const low = Number(fingerprint & 0xffff_ffffn);
    const high = Number(fingerprint >> 32n);
    const found = new Set<number>();
    this.#runs.forEach(({ part, start }, index) => {
      const end = this.#runs[index + 1]?.start ?? this.#length / 2;
      if (this.#isInRun(low, high, start, end)) found.add(part);
    });
    return [...found].sort((a, b) => a - b);
  }

  #isInRun(low: number, high: number, start: number, end: number): boolean {
    let [from, to] = [start, end];
    while (from < to) {
      const middle = (from + to) >>> 1;
      const foundHigh = this.#words[2 * middle + 1]!;
      const foundLow = this.#words[2 * middle]!;
      if (foundHigh === high && foundLow === low) return true;
      if (foundHigh < high || (foundHigh === high && foundLow < low)) from = middle + 1;
      else to = middle;
    }
    return false;
  }
}
