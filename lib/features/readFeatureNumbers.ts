import { type Data, type DataType, type Float, Precision, Type } from 'apache-arrow';
import { readNumbers } from './columnValues.ts';
import type { BucketedFeature, NumericFeature } from './contract.ts';

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
