import type { Candidate, Earlier, Judged } from '../../lib/gates/judged.ts';
import type { Measurement } from '../../lib/gates/verdict.ts';
import type { ModelReference } from '../../lib/profile/modelReference.ts';
import { SCORE_BINS } from '../../lib/profile/scoreHistogram.ts';

// So many rows that chance adds next to nothing: what a bound is can be seen from the settings.
export const MANY = 100_000_000;
export const CHANCE = 0.001;
/** All rows in some bins, in equal shares. */
export const countsIn = (rows: number, ...bins: readonly number[]) => {
  const counts = new Array<number>(SCORE_BINS).fill(0);
  for (const bin of bins) counts[bin] = rows / bins.length;
  return counts;
};
export const NO_EARLIER: Earlier = { own: undefined, previous: undefined, weekday: undefined };
export const score = (mean: number, counts = countsIn(MANY, 40, 41), min = mean / 2, max = mean * 2) => ({
  mean,
  min,
  max,
  counts,
});
export const judged = (partition: string, over: Partial<Judged> = {}): Judged => ({
  partition,
  model: 'm',
  rows: MANY,
  scores: { pctr: score(0.1), pcvr: score(0.1), pctcvr: score(0.01) },
  keyTypes: [[{ name: 'id', type: 'Int64' }]],
  worstShards: new Map(),
  shiftedShards: new Map(),
  ...over,
});
export const feature = { name: 'age', values: MANY, missing: 0, unseen: 0, bins: [MANY / 2, MANY / 2] };
export const candidate = (over: Partial<Candidate> = {}): Candidate => ({
  ...judged('today'),
  profile: { rows: MANY, features: [feature], slices: [] },
  ...over,
});
export const spread = { missing: 0, unseen: 0, psi: 0 };
export const scoreReference = { mean: 0.1, counts: countsIn(MANY, 40, 41), meanRatio: 1, psi: 0 };
export const reference = (over: Partial<ModelReference> = {}): ModelReference => ({
  referenceVersion: 1,
  rows: MANY,
  days: [],
  features: [
    {
      ...{ name: 'age', bins: { kind: 'numbers', ends: [0] }, values: MANY, missing: 0, unseen: 0 },
      ...{ counts: [MANY / 2, MANY / 2], spread },
    },
  ],
  scores: { pctr: scoreReference, pcvr: scoreReference, pctcvr: scoreReference },
  slices: [],
  rates: { click: 0.1, conversion: 0.1 },
  repeatedKeys: 0,
  ...over,
});
export const isWithin = (measured: readonly Measurement[]) => measured.every((each) => each.isWithin);
