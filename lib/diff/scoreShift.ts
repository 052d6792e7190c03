import { SCORE_NAMES, type ScoreName } from '../base/tasks.ts';
import { populationStability } from '../profile/populationStability.ts';
import { SCORE_BINS, scoreBinOf } from '../profile/scoreHistogram.ts';

/** Shares of the rows below a quantile. */
const QUANTILES = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99] as const;

/** Bits of a float32 that a fine bin leaves out: its bounds are 2^-9 (0.2%) of the value apart. */
const DROPPED_BITS = 14;
const FINE_BINS = (0x3f800000 >>> DROPPED_BITS) + 1;

/** float32 numbers in [-1, 1], counted in bins of 0.2% of the value each. */
class FineHistogram {
  readonly #positive = new Uint32Array(FINE_BINS);
  readonly #negative = new Uint32Array(FINE_BINS);
  #rows = 0;

  add(bits: number): void {
    const bins = bits >>> 31 === 1 ? this.#negative : this.#positive;
    bins[(bits & 0x7fffffff) >>> DROPPED_BITS]!++;
    this.#rows++;
  }

  /** The bound of the bin that the quantile is in which is nearer to 0; null without rows. */
  quantile(share: number): number | null {
    if (this.#rows === 0) return null;
    const rank = Math.min(this.#rows - 1, Math.floor(share * this.#rows));
    let seen = 0;
    for (let bin = FINE_BINS - 1; bin >= 0; bin--) {
      seen += this.#negative[bin]!;
      if (seen > rank) return -boundOf(bin);
    }
    for (let bin = 0; bin < FINE_BINS; bin++) {
      seen += this.#positive[bin]!;
      if (seen > rank) return boundOf(bin);
    }
    throw new RangeError(`${share} of ${this.#rows} rows`);
  }
}

const floatOfBits = new Float32Array(1);
const bitsOfFloat = new Uint32Array(floatOfBits.buffer);

function boundOf(bin: number): number {
  return scoreOfBits(bin << DROPPED_BITS);
}

/** The float32 with these bits. */
export function scoreOfBits(bits: number): number {
  bitsOfFloat[0] = bits;
  return floatOfBits[0]!;
}

/** How one score differs between two states. Means are null without rows. */
export interface ScoreShift {
  readonly from: { readonly rows: number; readonly mean: number | null };
  readonly to: { readonly rows: number; readonly mean: number | null };
  /** Population stability index over quarters of an octave, see scoreHistogram.ts. */
  readonly psi: number;
  /** Mean of the change, and of its size, over the rows in both states. */
  readonly meanChange: number | null;
  readonly meanAbsoluteChange: number | null;
}

/** One for each of QUANTILES, of the scores in each state and of the change of the rows in both; to 0.2% of the value. */
interface ShiftQuantile {
  readonly share: number;
  readonly from: number | null;
  readonly to: number | null;
  readonly change: number | null;
}

export interface OverallShift extends ScoreShift {
  readonly quantiles: readonly ShiftQuantile[];
}

export type PerScore<T> = Readonly<Record<ScoreName, T>>;

/** A value for each of the scores, in their order. */
function perScore<T>(make: (score: number) => T): PerScore<T> {
  return Object.fromEntries(SCORE_NAMES.map((name, score) => [name, make(score)])) as PerScore<T>;
}

/** What one state's rows have of a score. */
class ScoreSide {
  rows = 0;
  sum = 0;
  readonly counts = new Array<number>(SCORE_BINS).fill(0);
  readonly fine: FineHistogram | undefined;

  constructor(isFine: boolean) {
    this.fine = isFine ? new FineHistogram() : undefined;
  }

  add(value: number, bits: number): void {
    this.rows++;
    this.sum += value;
    this.counts[scoreBinOf(bits)]!++;
    this.fine?.add(bits);
  }

  get mean(): number | null {
    return this.rows === 0 ? null : this.sum / this.rows;
  }
}

/** Counts the scores of some rows in two states. */
export class ShiftCounter {
  readonly #from: readonly ScoreSide[];
  readonly #to: readonly ScoreSide[];
  readonly #changes: readonly (FineHistogram | undefined)[];
  #common = 0;
  readonly #changeSums = [0, 0, 0];
  readonly #absoluteSums = [0, 0, 0];

  /** @param isFine keep what quantiles need, about 2.3 MB */
  constructor(isFine: boolean) {
    this.#from = SCORE_NAMES.map(() => new ScoreSide(isFine));
    this.#to = SCORE_NAMES.map(() => new ScoreSide(isFine));
    this.#changes = SCORE_NAMES.map(() => (isFine ? new FineHistogram() : undefined));
  }

  /** Of both states. */
  get rows(): number {
    return this.#from[0]!.rows + this.#to[0]!.rows;
  }

  /** @param bits of the row's scores, in their order */
  add(side: 'from' | 'to', bits: readonly number[]): void {
    const scores = side === 'from' ? this.#from : this.#to;
    for (let score = 0; score < scores.length; score++) {
      scores[score]!.add(scoreOfBits(bits[score]!), bits[score]!);
    }
  }

  /** A row that is in both. */
  addChange(from: readonly number[], to: readonly number[]): void {
    this.#common++;
    for (let score = 0; score < from.length; score++) {
      const change = scoreOfBits(to[score]!) - scoreOfBits(from[score]!);
      this.#changeSums[score]! += change;
      this.#absoluteSums[score]! += Math.abs(change);
      floatOfBits[0] = change;
      this.#changes[score]?.add(bitsOfFloat[0]!);
    }
  }

  get shift(): PerScore<ScoreShift> {
    return perScore((score) => this.#shiftOf(score));
  }

  get overall(): PerScore<OverallShift> {
    return perScore((score) => ({
      ...this.#shiftOf(score),
      quantiles: QUANTILES.map((share) => ({
        share,
        from: this.#from[score]!.fine!.quantile(share),
        to: this.#to[score]!.fine!.quantile(share),
        change: this.#changes[score]!.quantile(share),
      })),
    }));
  }

  #shiftOf(score: number): ScoreShift {
    const [from, to] = [this.#from[score]!, this.#to[score]!];
    const ofCommon = (sum: number) => (this.#common === 0 ? null : sum / this.#common);
    return {
      from: { rows: from.rows, mean: from.mean },
      to: { rows: to.rows, mean: to.mean },
      psi: populationStability(to.counts, from.counts),
      meanChange: ofCommon(this.#changeSums[score]!),
      meanAbsoluteChange: ofCommon(this.#absoluteSums[score]!),
    };
  }
}
