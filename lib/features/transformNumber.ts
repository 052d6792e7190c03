import type { NumericFeature } from './contract.ts';

/** Clip and log1p of a numeric feature, before standardising. @param raw NaN when missing, and then so is the result */
export function preTransformNumber(feature: NumericFeature, raw: number): number {
  let value = raw;
  const { clip } = feature;
  if (clip?.min !== undefined && value < clip.min) value = clip.min;
  if (clip?.max !== undefined && value > clip.max) value = clip.max;
  if (feature.log1p) value = Math.sign(value) * Math.log1p(Math.abs(value));
  return finiteOrMissing(value);
}

/** The dense input of a numeric feature; NaN when the value is missing or nothing that float32 can hold. @param raw NaN when missing */
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
