import type { FeatureCounts } from '../features/featureEncoder.ts';

/** Sums the counters of two parts of the same contract, feature by feature; an empty list counts as zeros. */
export function addCounts(a: readonly FeatureCounts[], b: readonly FeatureCounts[]): FeatureCounts[] {
  return b.map((counts, index) => ({
    name: counts.name,
    values: counts.values + (a[index]?.values ?? 0),
    missing: counts.missing + (a[index]?.missing ?? 0),
    unseen: counts.unseen + (a[index]?.unseen ?? 0),
  }));
}
