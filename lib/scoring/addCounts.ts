import type { FeatureCounts } from '../features/featureEncoder.ts';

/** Sums the counters of two parts of the same contract, feature by feature; an empty list (no row) counts as zeros. */
export function addCounts(
  a: readonly FeatureCounts[],
  b: readonly FeatureCounts[],
): readonly FeatureCounts[] {
  if (a.length === 0) return b;
  if (b.length === 0) return a;
  return a.map(({ name, values, missing, unseen }, index) => {
    const other = b[index]!;
    return {
      name,
      values: values + other.values,
      missing: missing + other.missing,
      unseen: unseen + other.unseen,
    };
  });
}
