import { type Data, DataType, type RecordBatch } from 'apache-arrow';
import { columnOf } from '../base/arrowColumns.ts';
import { forEachNull, IntScratch, readIntegers } from '../features/columnValues.ts';
import { hash64, hashBytes, hashInt64 } from '../features/hash64.ts';

/** Fingerprints of one day, 64 bits each as two halves. */
interface DayKeys {
  rows: number;
  fingerprints: Int32Array;
  used: number;
}

/**
 * Counts rows whose key tuple was there before on the same day: some data have several rows of a key on purpose, and a gate on
 * duplicates must know. Tuples are compared by 64-bit fingerprints, 8 bytes of memory a row; two of a million differing tuples
 * share one with a chance of 3e-8. A row with a null in its key repeats none.
 */
export class RepeatedKeys {
  readonly #keys: readonly string[];
  readonly #days = new Map<string | undefined, DayKeys>();
  readonly #integers = new IntScratch();

  /** @param keys columns of every batch, of types that can be row keys */
  constructor(keys: readonly string[]) {
    this.#keys = keys;
  }

  /** @param day undefined where rows have none: they are compared with all such rows */
  add(batch: RecordBatch, day: string | undefined): void {
    const halves = new Int32Array(2 * batch.numRows);
    const hasNull = new Uint8Array(batch.numRows);
    for (const key of this.#keys) this.#mixIn(columnOf(batch, key)!, halves, hasNull);
    const known = this.#days.get(day) ?? { rows: 0, fingerprints: new Int32Array(0), used: 0 };
    this.#days.set(day, known);
    known.rows += batch.numRows;
    const needed = known.used + halves.length;
    if (needed > known.fingerprints.length) {
      const larger = new Int32Array(Math.max(needed, 2 * known.fingerprints.length));
      larger.set(known.fingerprints);
      known.fingerprints = larger;
    }
    for (let row = 0; row < batch.numRows; row++) {
      if (hasNull[row] === 1) continue;
      known.fingerprints[known.used++] = halves[2 * row]!;
      known.fingerprints[known.used++] = halves[2 * row + 1]!;
    }
  }

  /** Rows whose key had been there before, as a share of a day's rows: of all days the largest, in [0, 1]. */
  largestShare(): number {
    let largest = 0;
    for (const { rows, fingerprints, used } of this.#days.values()) {
      const sorted = new BigInt64Array(fingerprints.buffer, 0, used / 2).sort();
      let repeated = 0;
      for (let at = 1; at < sorted.length; at++) if (sorted[at] === sorted[at - 1]) repeated++;
      if (rows > 0) largest = Math.max(largest, repeated / rows);
    }
    return largest;
  }

  /** Hashes the column's values with the fingerprints so far as the seed. Integers of any width are equal if their values are. */
  #mixIn(data: Data, halves: Int32Array, hasNull: Uint8Array): void {
    const rowCount = hasNull.length;
    const seed = { low: 0, high: 0 };
    const hashRow = hashOfRow(data, rowCount, this.#integers);
    for (let row = 0; row < rowCount; row++) {
      seed.low = halves[2 * row]!;
      seed.high = halves[2 * row + 1]!;
      hashRow(row, seed);
      halves[2 * row] = hash64[0]!;
      halves[2 * row + 1] = hash64[1]!;
    }
    forEachNull(data, 0, rowCount, (row) => {
      hasNull[row] = 1;
    });
  }
}

type HashRow = (row: number, seed: { readonly low: number; readonly high: number }) => void;

/** Leaves the hash of a row's value in `hash64`; that of a null is any. */
function hashOfRow(data: Data, rowCount: number, integers: IntScratch): HashRow {
  const { type } = data;
  if (DataType.isInt(type)) {
    readIntegers(data, 0, rowCount, integers);
    return (row, seed) => hashInt64(integers.highs[row]!, integers.lows[row]!, seed);
  }
  const values = data.values as Uint8Array | Int32Array | BigInt64Array;
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  if (DataType.isUtf8(type) || DataType.isBinary(type)) {
    const offsets = data.valueOffsets as Int32Array;
    return (row, seed) => hashBytes(bytes, offsets[row]!, offsets[row + 1]!, seed);
  }
  const width = data.stride * values.BYTES_PER_ELEMENT;
  return (row, seed) => hashBytes(bytes, row * width, (row + 1) * width, seed);
}
