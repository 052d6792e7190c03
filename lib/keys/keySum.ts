import type { RecordBatch } from 'apache-arrow';
import { KeyFingerprints } from './keyFingerprints.ts';

/** So many numbers below 2^32 have an exact sum as float64. */
export const ROWS_PER_SUM = 2 ** 20;

/** A sum modulo 2^64. */
export class Sum64 {
  #sum = 0n;

  /** @param low sum of lower halves, below 2^53; @param high of upper ones */
  add(low: number, high: number): void {
    this.#sum = BigInt.asUintN(64, this.#sum + BigInt(low) + (BigInt(high) << 32n));
  }

  get hex(): string {
    return this.#sum.toString(16).padStart(16, '0');
  }
}

/** Digests, as in PartKeys, of spans that are one after another: of all their rows together. */
export function addDigests(digests: readonly string[]): string {
  const sum = digests.reduce((total, digest) => total + BigInt(`0x${digest}`), 0n);
  return BigInt.asUintN(64, sum).toString(16).padStart(16, '0');
}

/** The digest of rows' keys that PartKeys has of spans, of rows that nobody has scored. */
export class KeySum {
  readonly #names: readonly string[];
  readonly #sum = new Sum64();

  /** @param names the contract's row keys */
  constructor(names: readonly string[]) {
    this.#names = names;
  }

  add(batch: RecordBatch): void {
    const { lows, highs } = new KeyFingerprints(batch.schema, this.#names).of(batch);
    for (let start = 0; start < batch.numRows; start += ROWS_PER_SUM) {
      const end = Math.min(batch.numRows, start + ROWS_PER_SUM);
      let [low, high] = [0, 0];
      for (let row = start; row < end; row++) {
        low += lows[row]! >>> 0;
        high += highs[row]! >>> 0;
      }
      this.#sum.add(low, high);
    }
  }

  get digest(): string {
    return this.#sum.hex;
  }
}
