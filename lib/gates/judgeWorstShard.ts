import { formatShare } from '../base/formatCount.ts';
import type { GateSettings } from '../job/gateSettings.ts';
import type { FeatureReference, ModelReference } from '../profile/modelReference.ts';
import type { FeatureProfile } from '../profile/partProfile.ts';
import { leastShare } from '../profile/worstSpans.ts';
import { type Candidate, type Earlier, type Judged, VALIDATION, type WorstShard } from './judged.ts';
import type { Measurement } from './verdict.ts';

/** How the values of a feature can be no use. */
const LOSSES = [
  { loss: 'missing', what: 'have no value' },
  { loss: 'unseen', what: 'are new to the model' },
] as const;
type Loss = (typeof LOSSES)[number]['loss'];

interface Bound {
  readonly bound: number;
  readonly against: string;
}

/**
 * Whether one shard has lost a feature that the others have, however small a share of the partition it is. Measured is the share
 * of a shard's values that are surely missing, or unseen (`leastShare`); the bound is `lost` of the way from what is usual to
 * all, and usual is what validation rows had, a training day more, or the partition's other shards have.
 *
 * Shards may differ for good reasons: sorted by id, those with the newest ids are unseen; one for each region, one may lack a
 * feature. An earlier publication shows such a layout: its worst shard raises the bound as well. Without any, and where no
 * more is missing in all than usually, the verdict is a warning at most.
 *
 * @returns of missing and of unseen values, what is out of bounds, or else the feature that is nearest to its bound
 */
export function judgeWorstShard(
  candidate: Candidate,
  { own, previous, weekday }: Earlier,
  reference: ModelReference,
  { lost }: GateSettings['worstShard'],
): Measurement[] {
  const usualOf = new Map(reference.features.map((feature) => [feature.name, feature]));
  return LOSSES.flatMap(({ loss, what }) => {
    const measured = candidate.profile.features.flatMap((feature): Measurement[] => {
      const usual = usualOf.get(feature.name);
      const worst = candidate.worstShards.get(feature.name)?.[loss];
      if (usual === undefined || worst === undefined || worst === null) return [];
      const { name: subject } = feature;
      const earlier = [own, previous, weekday].filter(
        (other) => other && isComparable(other, candidate, loss),
      );
      const shares = sharesOf(loss, feature, usual, candidate.profile.rows, reference.rows, worst);
      // A partition that is one shard has gates of its own.
      if (shares.of === worst.of) return [];
      const first = { bound: between(Math.max(shares.usual, shares.rest), lost), against: VALIDATION };
      const bounds = earlier.flatMap((other) => earlierBound(other!, subject, loss, first.bound, lost) ?? []);
      const { bound, against } = [first, ...bounds].reduce((a, b) => (b.bound > a.bound ? b : a));
      const found = leastShare(worst);
      const here = `${formatShare(worst.count / worst.of)} of the ${worst.of} values in ${worst.shard}`;
      const reason = `${here} ${what}, and ${formatShare(shares.rest)} in all other rows`;
      const mayBeLayout = earlier.length === 0 && feature[loss] <= shares.usual * shares.of;
      const measured = { subject, found, bound, isWithin: found <= bound, against, reason };
      return [mayBeLayout ? { ...measured, atMost: 'warn' } : measured];
    });
    const outside = measured.filter(({ isWithin }) => !isWithin);
    if (outside.length > 0) return outside;
    const left = ({ bound, found }: Measurement) => bound - found;
    return measured.sort((a, b) => left(a) - left(b)).slice(0, 1);
  });
}

/** What a model never saw depends on the model; what is missing doesn't. */
function isComparable(other: Judged, candidate: Candidate, loss: Loss): boolean {
  return loss === 'missing' || other.model === candidate.model;
}

function sharesOf(
  loss: Loss,
  feature: FeatureProfile,
  usual: FeatureReference,
  rows: number,
  usualRows: number,
  worst: WorstShard,
) {
  const of = loss === 'missing' ? rows : feature.values;
  const usualOf = loss === 'missing' ? usualRows : usual.values;
  const validation = usualOf === 0 ? 0 : usual[loss] / usualOf;
  return {
    of,
    usual: Math.min(1, validation + usual.spread[loss]),
    rest: (feature[loss] - worst.count) / (of - worst.of),
  };
}

/** Part of the way from a share to 1. */
function between(share: number, part: number): number {
  return share + part * (1 - share);
}

function earlierBound(
  { partition: against, worstShards }: Judged,
  feature: string,
  loss: Loss,
  usualBound: number,
  lost: number,
): Bound | undefined {
  const worst = worstShards.get(feature)?.[loss];
  if (worst === undefined || worst === null) return undefined;
  const least = leastShare(worst);
  const bound = between(least, lost);
  // Where a shard was out of bounds already, shards are like that: one of as large a share is no news, however many rows it has.
  return { bound: least > usualBound ? Math.max(bound, worst.count / worst.of) : bound, against };
}
