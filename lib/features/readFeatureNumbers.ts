import { type Data, type DataType, type Float, Precision, Type, util } from 'apache-arrow';
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
  if (precision === Precision.HALF) return util.uint16ToFloat64(util.float64ToUint16(value));
  return precision === Precision.SINGLE ? Math.fround(value) : value;
}
