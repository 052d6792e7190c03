import { type Data, type DataType, type Float, Precision, Type } from 'apache-arrow';
import { readNumbers } from './columnValues.ts';
import type { BucketedFeature, NumericFeature } from './contract.ts';

/** Clip and log1p of a numeric feature, before standardising. @param raw NaN when missing, and then so is the result */
export function preTransformNumber(feature: NumericFeature, raw: number): number {
  let value = raw;
  const { clip } = feature;
  if (clip?.min !== undefined && value < clip.min) value = clip.min;
  if (clip?.max !== undefined && value > clip.max) value = clip.max;
  if (feature.log1p) value = Math.sign(value) * Math.log1p(Math.abs(value));
  return finiteOrMissing(value);
}

/** The dense input of a numeric feature; NaN when the value is missing or not representable in float32. @param raw NaN when missing */
export function transformNumber(feature: NumericFeature, raw: number): number {
  const value = preTransformNumber(feature, raw);
  if (!feature.standardise || feature.fitted === undefined) return value;
  return finiteOrMissing((value - feature.fitted.mean) / feature.fitted.standardDeviation);
}

/** The network computes in float32, where an infinity, or a number too large, would poison the row's score. */
function finiteOrMissing(value: number): number {
  return Number.isFinite(Math.fround(value)) ? value : Number.NaN;
}

/** Index of the first boundary >= value, or boundaries.length: bucket i holds (boundaries[i - 1], boundaries[i]]. */
export function bucketOf(boundaries: readonly number[], value: number): number {
  let from = 0;
  let to = boundaries.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (boundaries[middle]! < value) from = middle + 1;
    else to = middle;
  }
  return from;
}

/**
 * As `readNumbers`; what the feature lists as missing becomes NaN too. A listed value is compared as the column can hold
 * it: -0.1 also means the float32 next to it where the column is one of float32.
 */
export function readFeatureNumbers(
  feature: NumericFeature | BucketedFeature,
  data: Data,
  start: number,
  end: number,
  into: Float64Array,
): void {
  readNumbers(data, start, end, into);
  if (feature.missingValues.length === 0) return;
  const missing = feature.missingValues.map((value) => asHeldBy(data.type, value));
  for (let i = 0; i < end - start; i++) if (missing.includes(into[i]!)) into[i] = Number.NaN;
}

function asHeldBy(type: DataType, value: number): number {
  if (type.typeId !== Type.Float) return value;
  const { precision } = type as Float;
  if (precision === Precision.DOUBLE) return value;
  const held = precision === Precision.HALF ? nearestHalf(value) : Math.fround(value);
  // Too small for the column: no row can hold it, and 0 is a number like others.
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
