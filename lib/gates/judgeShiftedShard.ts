import type { GateSettings } from '../job/gateSettings.ts';
import type { FeatureReference, ModelReference } from '../profile/modelReference.ts';
import { populationStability, totalOf } from '../profile/populationStability.ts';
import { surelyShifted } from '../profile/shiftedSpans.ts';
import { type Candidate, type Earlier, type Judged, type ShiftedShard, VALIDATION } from './judged.ts';
import { pairs } from './judgeFeatures.ts';
import type { Measurement } from './verdict.ts';

type Settings = Pick<GateSettings['worstShard'], 'floor' | 'factor'>;
type Bins = readonly number[];

/** Layouts that nobody has seen yet reach the floor: from so many times it on, values are of another kind. */
const BLOCKS_FROM = 2;

/**
 * Whether the values of one shard are distributed otherwise than those of all others: in other units, in another column's place, or
 * all the same. Measured is how far they surely are from both validation and the night's other shards, so that a feature that moves
 * from day to day says nothing. A layout moves many shards, such as hours do, and damage one: the next shard raises the bound. Where
 * an earlier publication of the model has such a shard, it does too. Without any, and where all values together are like a
 * training day's, it may be a layout, and warns at most.
 *
 * Of two shards that both differ from the others nothing is seen here, nor of one that is no farther from validation than two
 * others of its part: of a feature that has one value a day, yesterday's.
 *
 * @returns what is out of bounds
 */
export function judgeShiftedShard(
  candidate: Candidate,
  { own, previous, weekday }: Earlier,
  reference: ModelReference,
  { floor, factor }: Settings,
): Measurement[] {
  const earlier = [own, previous, weekday].filter(
    (other): other is Judged => other !== undefined && other.model === candidate.model,
  );
  return pairs(candidate, reference).flatMap(({ counted: { name: subject, bins }, usual }): Measurement[] => {
    const [worst, next] = byShift(candidate.shiftedShards.get(subject) ?? [], usual.counts);
    if (worst === undefined || worst.bins.length !== bins.length) return [];
    const rest = less(bins, worst.bins);
    // A partition that is one shard has gates of its own.
    if (totalOf(rest) === 0) return [];
    const found = fromBoth(worst.bins, usual.counts, rest);
    const layout = next === undefined ? 0 : fromBoth(next.bins, usual.counts, less(rest, next.bins));
    const first = { bound: Math.max(floor, factor * layout), against: VALIDATION };
    const before = earlier.flatMap((other) => {
      const [there, beside] = byShift(other.shiftedShards.get(subject) ?? [], usual.counts);
      // A day whose shards are all far from validation shows no layout.
      const shift = there === undefined ? 0 : fromBoth(there.bins, usual.counts, beside?.bins ?? []);
      return { bound: factor * shift, against: other.partition };
    });
    const { bound, against } = [first, ...before].reduce((a, b) => (b.bound > a.bound ? b : a));
    if (found <= bound) return [];
    const mayBeLayout = earlier.length === 0 && isLikeTrainingDay(bins, usual);
    const isWeak = mayBeLayout || found < BLOCKS_FROM * floor;
    const reason =
      `population stability index of the ${totalOf(worst.bins)} values in ${worst.shard}, ` +
      'which are distributed otherwise than those of all other shards';
    const measured = { subject, found, bound, isWithin: false, against, reason };
    return [isWeak ? { ...measured, atMost: 'warn' } : measured];
  });
}

/** The most shifted one first. */
function byShift(shards: readonly ShiftedShard[], usual: Bins): ShiftedShard[] {
  return shards
    .map((each) => ({ each, shift: surelyShifted(each.bins, usual) }))
    .sort((a, b) => b.shift - a.shift)
    .map(({ each }) => each);
}

/** From validation's values and from the night's others, whichever is nearer. */
function fromBoth(bins: Bins, usual: Bins, others: Bins): number {
  const shift = surelyShifted(bins, usual);
  return totalOf(others) === 0 ? shift : Math.min(shift, surelyShifted(bins, others));
}

function less(bins: Bins, taken: Bins): number[] {
  return bins.map((count, bin) => Math.max(0, count - taken[bin]!));
}

function isLikeTrainingDay(bins: Bins, { counts, spread }: FeatureReference): boolean {
  return populationStability(bins, counts) <= spread.psi;
}
