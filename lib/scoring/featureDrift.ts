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

/** Counters of one feature over some rows. */
export interface CountedRows {
  readonly rows: number;
  readonly counts: readonly FeatureCounts[];
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
  const inTraining = new Map(trained.counts.map((counts) => [counts.name, counts]));
  return scored.counts.flatMap((counts) => {
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
