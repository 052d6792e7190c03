import { bucketOf } from './featureNumbers.ts';
import { UNSEEN_ID } from './idTable.ts';

/**
 * Neighbouring rows mostly have the same bin, and a count that has just been stored is slow to load: each row of so many has
 * counts of its own.
 */
export const LANES = 4;

/**
 * How many values of a feature fell into each of a few bins: bin i holds what is greater than `ends[i - 1]` and at most `ends[i]`,
 * the last one all above. Whoever encodes the values counts them in `counts`. One per thread.
 */
export abstract class BinCounter {
  readonly ends: readonly number[];
  /** Behind the bins of known values: values that training never saw, */
  readonly unseenBin: number;
  /** and none at all. */
  readonly missingBin: number;
  /** The bins of a lane, which stand one behind the other. */
  readonly laneWidth: number;
  /** uint32 [LANES, laneWidth]; it doesn't matter which lane a value is counted in. */
  readonly counts: Uint32Array;

  /** @param ends ascending, fewer than 254; without any all known values are in one bin */
  constructor(ends: readonly number[]) {
    this.ends = ends;
    this.unseenBin = ends.length + 1;
    this.missingBin = ends.length + 2;
    this.laneWidth = ends.length + 3;
    this.counts = new Uint32Array(LANES * this.laneWidth);
  }

  reset(): void {
    this.counts.fill(0);
  }

  /** Counts of known values by bin. */
  known(): number[] {
    return Array.from({ length: this.ends.length + 1 }, (_, bin) => this.#ofLanes(bin));
  }

  /** The count of a bin, which is 0 from now on. */
  take(bin: number): number {
    const count = this.#ofLanes(bin);
    for (let at = bin; at < this.counts.length; at += this.laneWidth) this.counts[at] = 0;
    return count;
  }

  #ofLanes(bin: number): number {
    let count = 0;
    for (let at = bin; at < this.counts.length; at += this.laneWidth) count += this.counts[at]!;
    return count;
  }
}

/** A search in the ends costs more than the count: the bin of each id, or of neighbours that are as many as they must be, is in a table. */
const MOST_TABLED = 65_536;

/** Bins of the local ids of a table. */
export class IdBins extends BinCounter {
  /** By the first bits of an id, the bin of the lowest id that begins with them. Made when it is needed: hashed ids don't need it. */
  #lowestBin: Uint8Array | undefined;
  readonly #rowCount: number;
  readonly #shift: number;
  /** The last bin ends at infinity. */
  readonly #ends: Float64Array;

  /** @param rowCount of the table: ids are below it */
  constructor(ends: readonly number[], rowCount: number) {
    super(ends);
    this.#ends = Float64Array.of(...ends, Number.POSITIVE_INFINITY);
    this.#rowCount = rowCount;
    this.#shift = Math.max(0, Math.ceil(Math.log2(rowCount / MOST_TABLED)));
  }

  #makeLowestBin(): Uint8Array {
    const lowestBin = new Uint8Array(Math.ceil(this.#rowCount / 2 ** this.#shift));
    for (const [bin, end] of this.ends.entries()) {
      lowestBin.fill(bin + 1, Math.floor(end / 2 ** this.#shift) + 1);
    }
    return lowestBin;
  }

  /** The bins of the first `count` of local ids (idTable.ts). @returns whether any of them is MISSING_ID */
  find(ids: Int32Array, count: number, bins: Uint8Array): boolean {
    this.#lowestBin ??= this.#makeLowestBin();
    const lowestBin = this.#lowestBin;
    const shift = this.#shift;
    const ends = this.#ends;
    const { unseenBin, missingBin } = this;
    let haveMissing = false;
    for (let at = 0; at < count; at++) {
      const id = ids[at]!;
      if (id > 0) {
        let bin = lowestBin[id >>> shift]!;
        while (id > ends[bin]!) bin++;
        bins[at] = bin;
      } else if (id === UNSEEN_ID) {
        bins[at] = unseenBin;
      } else {
        bins[at] = missingBin;
        haveMissing = true;
      }
    }
    return haveMissing;
  }
}

/** Bins of dense inputs, which FeatureNumbers finds while it makes them. */
export class NumberBins extends BinCounter {
  /** The bins of the first `count` of dense inputs, NaN where they are missing. @returns whether any of them is missing */
  find(inputs: Float32Array, count: number, bins: Uint8Array): boolean {
    const { ends, missingBin } = this;
    let haveMissing = false;
    for (let at = 0; at < count; at++) {
      const input = inputs[at]!;
      const isMissing = Number.isNaN(input);
      bins[at] = isMissing ? missingBin : bucketOf(ends, input);
      haveMissing ||= isMissing;
    }
    return haveMissing;
  }
}

/** Counters by the names of features, of those that have bins. */
export interface BinCounters {
  /** Of features with ids. */
  readonly ids: ReadonlyMap<string, IdBins>;
  /** Of numeric ones. */
  readonly numbers: ReadonlyMap<string, NumberBins>;
}
