import type { FeatureCounts } from '../features/featureEncoder.ts';
import { addBinCounts, type BinCounts } from './countFeatureBins.ts';
import type { FeatureBins } from './featureBins.ts';
import type { FeatureReference } from './modelReference.ts';
import { populationStability } from './populationStability.ts';

/** What was counted in some rows. */
export interface CountedFeatures {
  readonly rows: number;
  /** As FeatureEncoder counts them. */
  readonly counts: readonly FeatureCounts[];
  readonly bins: BinCounts;
}

/** A day with fewer rows differs from others by chance, and says nothing of how far days differ. */
export const MIN_DAY_ROWS = 200;

/**
 * What the gates compare a night's features with.
 * @param days of training and validation; empty where rows aren't split by date. A day with fewer than MIN_DAY_ROWS rows counts
 *   towards all of them together, but isn't compared with them
 */
export function featureReferences(
  bins: readonly FeatureBins[],
  validation: CountedFeatures,
  days: readonly CountedFeatures[],
): FeatureReference[] {
  const all = days.length === 0 ? undefined : days.reduce(addCounted);
  const compared = days.filter(({ rows }) => rows >= MIN_DAY_ROWS);
  return validation.counts.map(({ name, values, missing, unseen }, feature) => {
    const largest = (differenceOf: (day: CountedFeatures, together: CountedFeatures) => number) =>
      Math.max(0, ...compared.map((day) => differenceOf(day, all!)));
    const difference = (share: (counted: CountedFeatures, feature: number) => number) =>
      largest((day, together) => Math.abs(share(day, feature) - share(together, feature)));
    return {
      name,
      bins: bins[feature]!,
      values,
      missing,
      unseen,
      counts: validation.bins[feature]!,
      spread: {
        missing: difference(missingShare),
        unseen: difference(unseenShare),
        psi: largest((day, together) => populationStability(day.bins[feature]!, together.bins[feature]!)),
      },
    };
  });
}

/** Of the rows. */
function missingShare({ rows, counts }: CountedFeatures, feature: number): number {
  return rows === 0 ? 0 : counts[feature]!.missing / rows;
}

/** Of the values. */
function unseenShare({ counts }: CountedFeatures, feature: number): number {
  const { values, unseen } = counts[feature]!;
  return values === 0 ? 0 : unseen / values;
}

/** Counts of the rows of both. */
export function addCounted(a: CountedFeatures, b: CountedFeatures): CountedFeatures {
  const counts = a.counts.map(({ name, values, missing, unseen }, feature) => {
    const other = b.counts[feature]!;
    return {
      name,
      values: values + other.values,
      missing: missing + other.missing,
      unseen: unseen + other.unseen,
    };
  });
  return { rows: a.rows + b.rows, counts, bins: addBinCounts(a.bins, b.bins) };
}
