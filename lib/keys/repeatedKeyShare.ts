import type { RecordBatch } from 'apache-arrow';
import { columnOf, isValid } from '../base/arrowColumns.ts';
import { KeyFingerprints } from './keyFingerprints.ts';
import { countRepeats, sortFingerprints } from './sortFingerprints.ts';

/** Fingerprints of one day: low and high half of each in turn. */
interface DayKeys {
  rows: number;
  words: Uint32Array;
  used: number;
}

/**
 * Counts rows whose key a row before has on the same day: some data have several rows of a key on purpose, which the gate on
 * repeated keys must know. Keys are compared by the fingerprints that the gate counts by, 8 bytes of memory a row. A row with a
 * null in its key repeats none.
 */
export class RepeatedKeyShare {
  readonly #keys: readonly string[];
  readonly #days = new Map<string | undefined, DayKeys>();

  /** @param keys columns of every batch, of types that can be row keys */
  constructor(keys: readonly string[]) {
    this.#keys = keys;
  }

  /** @param day undefined where rows have none: they are compared with all such rows */
  add(batch: RecordBatch, day: string | undefined): void {
    const { lows, highs } = new KeyFingerprints(batch.schema, this.#keys).of(batch);
    const nullable = this.#keys.map((key) => columnOf(batch, key)!).filter(({ nullCount }) => nullCount > 0);
    const known = this.#days.get(day) ?? { rows: 0, words: new Uint32Array(0), used: 0 };
    this.#days.set(day, known);
    known.rows += batch.numRows;
    const needed = known.used + 2 * batch.numRows;
    if (needed > known.words.length) {
      const larger = new Uint32Array(Math.max(needed, 2 * known.words.length));
      larger.set(known.words);
      known.words = larger;
    }
    for (let row = 0; row < batch.numRows; row++) {
      if (nullable.some((column) => !isValid(column, row))) continue;
      known.words[known.used++] = lows[row]!;
      known.words[known.used++] = highs[row]!;
    }
  }

  /** Rows whose key had been there before, as a share of a day's rows: of all days the largest, in [0, 1]. */
  largestShare(): number {
    let largest = 0;
    for (const { rows, words, used } of this.#days.values()) {
      const repeated = countRepeats(sortFingerprints(words.subarray(0, used)));
      if (rows > 0) largest = Math.max(largest, repeated / rows);
    }
    return largest;
  }
}
