import { expect, it } from 'vitest';
import type { Candidate } from '../../lib/gates/judged.ts';
import { repeatsFeatures } from '../../lib/gates/repeatsFeatures.ts';
import { candidate, countsIn, feature, score } from './judgedNights.ts';

const BINS = 20;
const withBins = (bins: readonly number[], over: Partial<Candidate> = {}) => {
  const rows = bins.reduce((sum, count) => sum + count, 0);
  const scores = score(0.1, countsIn(rows, 40));
  return candidate({
    ...{ rows, scores: { pctr: scores, pcvr: scores, pctcvr: scores } },
    profile: { rows, features: [{ ...feature, values: rows, bins }], slices: [] },
    ...over,
  });
};
const even = (rows: number, bins = BINS) => new Array<number>(bins).fill(rows / bins);
const night = withBins(even(2_000));

it('finds rows that were counted alike, whatever partition they stand in and whatever labels have come since', () => {
  const labels = {
    ...{ rows: 1, positives: 1, score: 1 },
    ...{ rowCounts: countsIn(1, 40), positiveCounts: countsIn(1, 40) },
  };
  const labelled = { ...night.profile, labels: { click: labels, conversion: labels } };
  expect(repeatsFeatures(night, withBins(even(2_000), { partition: 'yesterday', profile: labelled }))).toBe(
    true,
  );
});

it.each<[string, Candidate]>([
  ['one value of one feature', withBins([99, 101, ...even(1_800, BINS - 2)])],
  [
    'one missing value',
    withBins(even(2_000), {
      profile: {
        ...night.profile,
        features: [{ ...feature, ...{ values: 2_000, bins: even(2_000), missing: 1 } }],
      },
    }),
  ],
  [
    'one score',
    withBins(even(2_000), {
      scores: { ...night.scores, pcvr: score(0.1, [...countsIn(1_999, 40).slice(0, -1), 1]) },
    }),
  ],
  [
    'the mean score of a slice',
    withBins(even(2_000), {
      profile: { ...night.profile, slices: [{ name: 'a', slices: [{ rows: 1, pctr: 1, pcvr: 1 }] }] },
    }),
  ],
  ['the model', withBins(even(2_000), { model: 'another' })],
])('finds nothing where %s differs', (_, other) => {
  expect(repeatsFeatures(night, other)).toBe(false);
});

it.each([
  ['2,000 rows of two kinds', even(2_000, 2)],
  ['15 rows of 15 kinds', even(15, 15)],
  ['no row', even(0)],
])('finds nothing in %s, which another day may have by chance', (_, bins) => {
  expect(repeatsFeatures(withBins(bins), withBins(bins))).toBe(false);
});
