import { addProfiles } from './addProfiles.ts';
import type { FeatureBins } from './featureBins.ts';
import type { FeatureReference } from './modelReference.ts';
import type { PartProfile } from './partProfile.ts';
import { populationStability } from './populationStability.ts';

/** A day with fewer rows differs from others by chance, and says nothing of how far days differ. */
export const MIN_DAY_ROWS = 200;

/**
 * What the gates compare a night's features with.
 * @param days of training and validation; empty where rows aren't split by date. A day with fewer than MIN_DAY_ROWS rows counts
 *   towards all of them together, but isn't compared with them
 */
export function featureReferences(
  bins: readonly FeatureBins[],
  validation: PartProfile,
  days: readonly PartProfile[],
): FeatureReference[] {
  const all = days.length === 0 ? undefined : days.reduce(addProfiles);
  const compared = days.filter(({ rows }) => rows >= MIN_DAY_ROWS);
  return validation.features.map(({ name, values, missing, unseen, bins: counts }, feature) => {
    const largest = (differenceOf: (day: PartProfile, together: PartProfile) => number) =>
      Math.max(0, ...compared.map((day) => differenceOf(day, all!)));
    const difference = (share: (counted: PartProfile, feature: number) => number) =>
      largest((day, together) => Math.abs(share(day, feature) - share(together, feature)));
    return {
      name,
      bins: bins[feature]!,
      values,
      missing,
      unseen,
      counts,
      spread: {
        missing: difference(missingShare),
        unseen: difference(unseenShare),
        psi: largest((day, together) =>
          populationStability(day.features[feature]!.bins, together.features[feature]!.bins),
        ),
      },
    };
  });
}

/** Of the rows. */
function missingShare({ rows, features }: PartProfile, feature: number): number {
  return rows === 0 ? 0 : features[feature]!.missing / rows;
}

/** Of the values. */
function unseenShare({ features }: PartProfile, feature: number): number {
  const { values, unseen } = features[feature]!;
  return values === 0 ? 0 : unseen / values;
}
