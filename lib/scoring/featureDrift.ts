import type { FeatureCounts } from '../features/featureEncoder.ts';

/** The counters of all features over some rows, such as a profile. */
export interface CountedRows {
  readonly rows: number;
  readonly features: readonly FeatureCounts[];
}

/** A feature that has lost or changed its values since the model was trained. */
export interface FeatureDrift {
  readonly name: string;
  /** Share of rows without a value, in [0, 1]. */
  readonly missing: number;
  readonly missingInTraining: number;
  /** Share of values outside the vocabulary, in [0, 1]. */
  readonly unseen: number;
  readonly unseenInTraining: number;
}

/** A change of a share that nights don't make by chance on real shards, but a broken producer does. */
const NOTICED_CHANGE = 0.1;

/** Features whose share of missing or unseen values moved by more than a tenth since training; none without rows. */
export function featureDrift(scored: CountedRows, trained: CountedRows): FeatureDrift[] {
  if (scored.rows === 0) return [];
  const inTraining = new Map(trained.features.map((counts) => [counts.name, counts]));
  return scored.features.flatMap((counts) => {
    const before = inTraining.get(counts.name);
    if (before === undefined) return [];
    const drift = {
      name: counts.name,
      missing: share(counts.missing, scored.rows),
      missingInTraining: share(before.missing, trained.rows),
      unseen: share(counts.unseen, counts.values),
      unseenInTraining: share(before.unseen, before.values),
    };
    const moved = Math.max(
      Math.abs(drift.missing - drift.missingInTraining),
      Math.abs(drift.unseen - drift.unseenInTraining),
    );
    return moved > NOTICED_CHANGE ? [drift] : [];
  });
}

function share(count: number, of: number): number {
  return of === 0 ? 0 : count / of;
}
