import { type Data, DataType, type Float, Precision } from 'apache-arrow';
import { readNumbers } from './columnValues.ts';
import type { BucketedFeature, NumericFeature } from './contract.ts';
import { CALL_VALUES, valueMemory } from './valueMemory.ts';

type Rounding = (value: number) => number;

const asItIs: Rounding = (value) => value;

/**
 * The numbers of one feature in columns of one type. A float or decimal column is read as float32, and what its numbers are
 * compared with is rounded alike, so that columns of float32, float64 and decimals that hold the same values give the same
 * results. Integers and booleans are read and compared exactly, and so are all columns of a feature that declares
 * `"precision": "float64"`.
 */
export class FeatureNumbers {
  readonly #feature: NumericFeature | BucketedFeature;
  readonly #isRounded: boolean;
  readonly #missing: readonly number[];
  readonly #clipMin: number | undefined;
  readonly #clipMax: number | undefined;
  readonly #boundaries: Float64Array;

  constructor(feature: NumericFeature | BucketedFeature, type: DataType) {
    this.#feature = feature;
    const isWhole = !DataType.isFloat(type) && !DataType.isDecimal(type);
    const isExact = isWhole || feature.precision === 'float64';
    const round = isExact ? asItIs : Math.fround;
    // float32 and float16 need no rounding.
    const isWide =
      DataType.isDecimal(type) || (DataType.isFloat(type) && type.precision === Precision.DOUBLE);
    this.#isRounded = isWide && !isExact;
    this.#missing = feature.missingValues.map((value) => asHeld(value, isWide ? round : holdingOf(type)));
    const clip = feature.kind === 'numeric' ? feature.clip : undefined;
    this.#clipMin = clip?.min === undefined ? undefined : round(clip.min);
    this.#clipMax = clip?.max === undefined ? undefined : round(clip.max);
    const boundaries = feature.kind === 'bucketed' ? feature.fitted?.boundaries : undefined;
    this.#boundaries = Float64Array.from(boundaries ?? [], round);
  }

  /** Reads rows [start, end) into `into` from 0 on; null, and what the feature lists as missing, becomes NaN. */
  read(data: Data, start: number, end: number, into: Float64Array): void {
    readNumbers(data, start, end, into);
    const count = end - start;
    if (this.#isRounded) for (let i = 0; i < count; i++) into[i] = Math.fround(into[i]!);
    const missing = this.#missing;
    if (missing.length === 0) return;
    for (let i = 0; i < count; i++) if (missing.includes(into[i]!)) into[i] = Number.NaN;
  }

  /** Clip and log1p of a numeric feature, before standardising. @param raw as read; NaN when missing, and then so is the result */
  preTransform(raw: number): number {
    const feature = this.#feature as NumericFeature;
    let value = raw;
    if (this.#clipMin !== undefined && value < this.#clipMin) value = this.#clipMin;
    if (this.#clipMax !== undefined && value > this.#clipMax) value = this.#clipMax;
    if (feature.log1p) value = Math.sign(value) * Math.log1p(Math.abs(value));
    return finiteOrMissing(value);
  }

  /**
   * The dense inputs of a numeric feature in rows [start, end), to `inputs` from 0 on, and their bins, as `NumberBins` has them: 0, and
   * the bin of missing values, where a value is missing or not representable in float32.
   * @returns whether any is missing
   */
  encode(
    data: Data,
    start: number,
    end: number,
    ends: readonly number[],
    into: { readonly inputs: Float32Array; readonly bins: Uint8Array },
  ): boolean {
    const { kernels, numbers, inputs, bins, inputEnds } = valueMemory();
    const { standardise, fitted, log1p } = this.#feature as NumericFeature;
    const { mean, standardDeviation } = (standardise && fitted) || { mean: 0, standardDeviation: 1 };
    for (const [at, end] of ends.entries()) inputEnds[at] = floatBelow(end);
    const [least, most] = [
      this.#clipMin ?? Number.NEGATIVE_INFINITY,
      this.#clipMax ?? Number.POSITIVE_INFINITY,
    ];
    let haveMissing = false;
    for (let at = start; at < end; at += CALL_VALUES) {
      const count = Math.min(CALL_VALUES, end - at);
      this.read(data, at, at + count, numbers);
      const isAny = kernels.transformNumbers(
        count,
        least,
        most,
        Number(log1p),
        mean,
        standardDeviation,
        ends.length,
      );
      if (isAny !== 0) haveMissing = true;
      into.inputs.set(inputs.subarray(0, count), at - start);
      into.bins.set(bins.subarray(0, count), at - start);
    }
    return haveMissing;
  }

  /** The bucket of a bucketed feature, from 0. @param raw as read, not NaN */
  bucket(raw: number): number {
    return bucketOf(this.#boundaries, raw);
  }
}

/** Makes the numbers of a feature for the type of each batch's column, which seldom changes. */
export function featureNumbers(
  feature: NumericFeature | BucketedFeature,
): (type: DataType) => FeatureNumbers {
  let last: { readonly type: DataType; readonly numbers: FeatureNumbers } | undefined;
  return (type) => {
    if (last?.type !== type) last = { type, numbers: new FeatureNumbers(feature, type) };
    return last.numbers;
  };
}

/** The network computes in float32, where an infinity, or a number too large, would poison the row's score. */
function finiteOrMissing(value: number): number {
  return Number.isFinite(Math.fround(value)) ? value : Number.NaN;
}

/** Index of the first boundary >= value, or boundaries.length: bucket i holds (boundaries[i - 1], boundaries[i]]. */
export function bucketOf(boundaries: ArrayLike<number>, value: number): number {
  let from = 0;
  let to = boundaries.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (boundaries[middle]! < value) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** The largest float32 that isn't above a number: what float32 is above the one, is above the other. */
function floatBelow(number: number): number {
  const nearest = Math.fround(number);
  if (!(nearest > number)) return nearest;
  const bits = new Int32Array(Float32Array.of(nearest).buffer);
  // Of numbers below 0, the next lower one has the larger bits; below 0 itself comes the least of them.
  bits[0] = nearest > 0 ? bits[0]! - 1 : nearest < 0 ? bits[0]! + 1 : 0x80000001 | 0;
  return new Float32Array(bits.buffer)[0]!;
}

/** What a column of float16, of float32 or of whole numbers makes of a number that is written to it. */
function holdingOf(type: DataType): Rounding {
  if (!DataType.isFloat(type)) return asItIs;
  return (type as Float).precision === Precision.HALF ? nearestHalf : Math.fround;
}

/** A missing value as the column's numbers are compared: -0.1 also means the float32 next to it. */
function asHeld(value: number, round: Rounding): number {
  const held = round(value);
  // Too small for the rounding: no row can hold it, and 0 is a number like others.
  return held === 0 ? value : held;
}

const HALF_FRACTION_BITS = 10;
const LEAST_HALF_EXPONENT = -14;
/** Between the largest float16, 65504, and the next power of two: from here on numbers round to infinity. */
const HALF_OVERFLOW = 65_520;

/** The float16 nearest to a number, ties to even. Arrow's own conversion goes wrong where rounding carries, and beyond 65519. */
function nearestHalf(value: number): number {
  const size = Math.abs(value);
  if (size >= HALF_OVERFLOW) return Math.sign(value) * Number.POSITIVE_INFINITY;
  const exponent = Math.max(Math.floor(Math.log2(size)), LEAST_HALF_EXPONENT);
  const step = 2 ** (exponent - HALF_FRACTION_BITS);
  const steps = size / step;
  const below = Math.floor(steps);
  const isUp = steps - below > 0.5 || (steps - below === 0.5 && below % 2 === 1);
  return Math.sign(value) * (below + (isUp ? 1 : 0)) * step;
}
