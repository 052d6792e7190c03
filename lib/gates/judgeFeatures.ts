import { formatShare } from '../base/formatCount.ts';
import type { GateSettings } from '../job/gateSettings.ts';
import type { FeatureReference, ModelReference } from '../profile/modelReference.ts';
import type { FeatureProfile } from '../profile/partProfile.ts';
import { chanceMean, chanceShare, isByChance } from './chance.ts';
import { type Candidate, type Earlier, VALIDATION } from './judged.ts';
import type { Measurement } from './verdict.ts';

interface Pair {
  readonly counted: FeatureProfile;
  readonly usual: FeatureReference;
  readonly rows: number;
  readonly usualRows: number;
}

/** Features that both sides know. */
export function pairs({ profile }: Candidate, reference: ModelReference): Pair[] {
  const counted = new Map(profile.features.map((feature) => [feature.name, feature]));
  return reference.features.flatMap((usual) => {
    const found = counted.get(usual.name);
    if (found === undefined) return [];
    return [{ counted: found, usual, rows: profile.rows, usualRows: reference.rows }];
  });
}

/**
 * Growth of every feature's share of rows without a value; of lists, how much shorter they have become where there are any; and
 * features that are never without a value any more.
 */
export function judgeMissingValues(
  candidate: Candidate,
  { isPartOfDay = false }: Pick<Earlier, 'isPartOfDay'>,
  reference: ModelReference,
  { floor, factor, shorter }: GateSettings['missingValues'],
): Measurement[] {
  const both = pairs(candidate, reference);
  const grown = both.map(({ counted, usual, rows, usualRows }) => {
    const spread = factor * usual.spread.missing;
    const reached = usual.spread.missing;
    const shares = [counted.missing, rows, usual.missing, usualRows] as const;
    return growth(
      counted.name,
      shares,
      { usualBound: Math.max(floor, spread), reached },
      'of the rows have no value',
    );
  });
  // An hour or a region may have all values that are missing elsewhere.
  const filled = isPartOfDay ? [] : both.flatMap((pair) => filledUp(pair, factor));
  return [...grown, ...both.flatMap((pair) => shortened(pair, shorter)), ...filled];
}

/** What an hour's pause of a source doesn't do: a share that chance alone makes 0 isn't looked at. */
const LEAST_FILLED = 0.01;

/**
 * A feature that had no value in many rows, on every day, and has one in all: somebody fills in means or zeros. What is within
 * bounds isn't told of. That a source has become better looks the same, so it warns at most.
 */
function filledUp({ counted, usual, rows, usualRows }: Pair, factor: number): Measurement[] {
  if (counted.missing > 0 || rows === 0 || usualRows === 0) return [];
  const share = usual.missing / usualRows;
  const bound = factor * usual.spread.missing;
  const least = share - bound;
  if (least < LEAST_FILLED || isByChance(rows, rows, 1 - least)) return [];
  const reason = `every row has a value, and ${formatShare(share)} had none there: missing values may have been filled`;
  const { name: subject } = counted;
  return [{ subject, found: share, bound, isWithin: false, against: VALIDATION, reason, atMost: 'warn' }];
}

/**
 * The share of a list's usual length that is gone. The rows that it is a mean of are as few as those that have a value; one row's
 * length is taken to vary as much as its mean.
 */
function shortened({ counted, usual, rows, usualRows }: Pair, shorter: number): Measurement[] {
  // What has one value a row, null or not, is no list.
  if (counted.values === rows && usual.values === usualRows) return [];
  const [filled, usualFilled] = [rows - counted.missing, usualRows - usual.missing];
  if (filled <= 0 || usualFilled <= 0 || usual.values === 0) return [];
  const [length, usualLength] = [counted.values / filled, usual.values / usualFilled];
  const found = Math.max(0, 1 - length / usualLength);
  const bound = Math.min(1, shorter + chanceMean(filled, usualFilled));
  const reason = `${length.toPrecision(3)} values in a list, against ${usualLength.toPrecision(3)}`;
  const { name: subject } = counted;
  return [{ subject, found, bound, isWithin: found <= bound, against: VALIDATION, reason }];
}

/** Growth of every feature's share of values that training never saw. */
export function judgeUnseenValues(
  candidate: Candidate,
  reference: ModelReference,
  { floor, factor }: GateSettings['unseenValues'],
): Measurement[] {
  return pairs(candidate, reference).map(({ counted, usual }) => {
    const spread = factor * usual.spread.unseen;
    const reached = usual.spread.unseen;
    const shares = [counted.unseen, counted.values, usual.unseen, usual.values] as const;
    return growth(
      counted.name,
      shares,
      { usualBound: Math.max(floor, spread), reached },
      'of the values are new to the model',
    );
  });
}

/** Of what is left to a share of 1: a bound beyond would let a feature go that has lost every value. */
const OF_THE_REST = 0.9;
/** A share so near to 1 leaves no room for a difference that means anything. */
const LEAST_REST = 0.1;

/**
 * How much larger a share is than usual. Whatever the bound would be, a share that has become 1 is out of it, unless a
 * training day was like that, it was nearly 1 before, or the rows are so few that chance alone does it.
 */
function growth(
  subject: string,
  [count, rows, usualCount, usualRows]: readonly [number, number, number, number],
  { usualBound, reached }: { readonly usualBound: number; readonly reached: number },
  what: string,
): Measurement {
  const share = rows === 0 ? 0 : count / rows;
  const usual = usualRows === 0 ? 0 : usualCount / usualRows;
  const rest = 1 - usual;
  const least = rest < LEAST_REST ? rest : Math.max(reached, OF_THE_REST * rest);
  const chance = rows === 0 || usualRows === 0 ? 1 : chanceShare(count, rows, usualCount, usualRows);
  const bound = Math.min(usualBound + chance, least);
  const found = Math.max(0, share - usual);
  const reason = `${formatShare(share)} ${what}, against ${formatShare(usual)}`;
  // One row more on each side, as in chanceShare.
  const isWithin = found <= bound || isByChance(count, rows, (usualCount + 1) / (usualRows + 2));
  return { subject, found, bound, isWithin, against: VALIDATION, reason };
}
