import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { scoreOrder } from '../../lib/metrics/rankAuc.ts';
import { RankedRows, type UserKey } from '../../lib/metrics/rankedRows.ts';
import { rows, splitRows } from './arbitraries.ts';
import { aucByPairs, gaucByPairs, type LabelledScore } from './definitions.ts';

function stateOf(labelled: readonly { user: UserKey | null; score: number; label: number }[]): RankedRows {
  const kept = new RankedRows();
  for (const { user, score, label } of labelled) kept.add(score, label, user);
  return kept;
}
const gaucOf = (labelled: Parameters<typeof stateOf>[0]) => stateOf(labelled).compute().gauc;

function aucOf(labelled: readonly LabelledScore[]): number | null {
  const kept = new RankedRows();
  for (const { score, label } of labelled) kept.add(score, label, null);
  return kept.compute().auc;
}

const pairsOf = (scores: number[], labels: number[]) =>
  scores.map((score, i) => ({ score, label: labels[i]! }));

/** Sums of a few dozen eighths are exact; only the divisions round. */
const EXACT = 14;

describe('exact AUC', () => {
  test('is 1 for a perfect order, 0 for its reverse, 1/2 for equal scores', () => {
    expect(aucOf(pairsOf([0.1, 0.2, 0.3, 0.4], [0, 0, 1, 1]))).toBe(1);
    expect(aucOf(pairsOf([0.4, 0.3, 0.2, 0.1], [0, 0, 1, 1]))).toBe(0);
    expect(aucOf(pairsOf([0.3, 0.3, 0.3, 0.3], [0, 1, 1, 0]))).toBe(0.5);
  });

  test('matches a value computed by hand with a tie across classes', () => {
    // Positives .8, .5; negatives .5, .2, .9. Pairs won: 2 + 1, tied: 1 -> (1 + 1) + (.5 + 1) of 6.
    expect(aucOf(pairsOf([0.8, 0.5, 0.5, 0.2, 0.9], [1, 1, 0, 0, 0]))).toBeCloseTo(3.5 / 6, EXACT);
  });

  test('is null without rows and when one class is absent', () => {
    expect(aucOf([])).toBeNull();
    expect(aucOf(pairsOf([0.1, 0.2], [1, 1]))).toBeNull();
    expect(aucOf(pairsOf([0.1, 0.2], [0, 0]))).toBeNull();
  });

  test('equals the definition over all pairs, with ties and soft labels', () => {
    fc.assert(
      fc.property(rows, (labelled) => {
        const expected = aucByPairs(labelled);
        const found = aucOf(labelled);
        if (expected === null) expect(found).toBeNull();
        else expect(found).toBeCloseTo(expected, EXACT);
      }),
    );
  });

  test('does not change under a strictly rising transform of the scores', () => {
    fc.assert(
      fc.property(rows, (labelled) => {
        // Doubling and negating are exact in float32; negation mirrors the AUC.
        const doubled = labelled.map(({ score, label }) => ({ score: 2 * score, label }));
        const mirrored = labelled.map(({ score, label }) => ({ score: -score, label }));
        const auc = aucOf(labelled);
        expect(aucOf(doubled)).toEqual(auc);
        if (auc === null) expect(aucOf(mirrored)).toBeNull();
        else expect(aucOf(mirrored)).toBeCloseTo(1 - auc, EXACT);
      }),
    );
  });

  test('a soft label equals the same share of positive and negative rows', () => {
    const hard = pairsOf([0.3, 0.3, 0.3, 0.3, 0.6, 0.1], [1, 0, 0, 0, 1, 0]);
    // Four rows of .3 with one positive = four rows of label 1/4.
    const soft = pairsOf([0.3, 0.3, 0.3, 0.3, 0.6, 0.1], [0.25, 0.25, 0.25, 0.25, 1, 0]);
    expect(aucOf(soft)).toBeCloseTo(aucOf(hard)!, EXACT);
  });

  test('negative scores, -0, infinities of the range, and denormals sort right', () => {
    const sorted = [-3e38, -1.5, -1e-45, -0, 0, 1e-45, 0.5, 3e38].map(Math.fround);
    expect([...scoreOrder(Float32Array.from(sorted))]).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect([...scoreOrder(Float32Array.from([...sorted].reverse()))]).toEqual([7, 6, 5, 3, 4, 2, 1, 0]);
    expect(aucOf(pairsOf([-0, 0], [1, 0]))).toBe(0.5);
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])('a score of %s is an error, not a number', (score) => {
    expect(() => new RankedRows().add(score, 1, null)).toThrow(
      expect.objectContaining({
        ...{ code: 'METRIC_SCORE_INVALID', expected: 'a finite number', found: String(score) },
      }),
    );
  });

  test.each([Number.NaN, -0.1, 1.1])('a label of %s is an error', (label) => {
    expect(() => new RankedRows().add(0.5, label, null)).toThrow(
      expect.objectContaining({ code: 'METRIC_LABEL_INVALID' }),
    );
  });

  test('a million rows take well under two seconds of processor time', () => {
    const random = new RandomStream(1);
    const kept = new RankedRows();
    const start = process.cpuUsage();
    for (let row = 0; row < 1_000_000; row++) {
      const p = random.nextUniform();
      kept.add(p, random.nextUniform() < p ? 1 : 0, null);
    }
    // Labels drawn from uniform p: the AUC's expectation is 5/6, its standard error here about 0.0004.
    expect(kept.compute().auc).toBeCloseTo(5 / 6, 2);
    const { user, system } = process.cpuUsage(start);
    expect((user + system) / 1e6).toBeLessThan(2);
  });
});

describe('GAUC', () => {
  test('weighs users by their rows and skips users with one class', () => {
    const gauc = gaucOf([
      // u: 3 rows, AUC 1/2 (the positive beats one of two negatives).
      { user: 'u', score: 0.5, label: 1 },
      { user: 'u', score: 0.2, label: 0 },
      { user: 'u', score: 0.9, label: 0 },
      // v: 2 rows, AUC 1.
      { user: 'v', score: 0.2, label: 1 },
      { user: 'v', score: 0.1, label: 0 },
      // w: only positives.
      { user: 'w', score: 0.1, label: 1 },
      { user: 'w', score: 0.9, label: 1 },
    ]);
    expect(gauc).toBeCloseTo((3 * 0.5 + 2 * 1) / 5, 14);
  });

  test('is null without rows and when no user has both classes', () => {
    expect(gaucOf([])).toBeNull();
    expect(
      gaucOf([
        { user: 1, score: 0.1, label: 1 },
        { user: 2, score: 0.1, label: 0 },
      ]),
    ).toBeNull();
  });

  test('equals the definition per user, with ties and soft labels', () => {
    fc.assert(
      fc.property(rows, (labelled) => {
        const expected = gaucByPairs(labelled);
        const found = gaucOf(labelled);
        if (expected === null) expect(found).toBeNull();
        else expect(found).toBeCloseTo(expected, 13);
      }),
    );
  });

  test('leaves rows without a user out, which the AUC counts', () => {
    const kept = stateOf([
      { user: 'u', score: 0.1, label: 1 },
      { user: null, score: 0.9, label: 1 },
      { user: 'u', score: 0.5, label: 0 },
      { user: null, score: 0.4, label: 0 },
    ]);
    // All rows: .9 beats both negatives, .1 neither.
    expect(kept.compute()).toEqual({ auc: 0.5, gauc: 0 });
  });

  test('and AUC of the parts of any split, appended in order, have the bits of the whole', () => {
    fc.assert(
      fc.property(splitRows, ({ all, parts }) => {
        const withGaps = (rows: typeof all) =>
          rows.map((row) => ({ ...row, user: row.user === 'a' ? null : row.user }));
        const appended = new RankedRows();
        for (const part of parts) appended.append(stateOf(withGaps(part)));
        expect(appended.length).toBe(all.length);
        expect(appended.compute()).toEqual(stateOf(withGaps(all)).compute());
      }),
    );
  });

  test('a user is the same as int32 and int64, another one as a string, and huge ids stay apart', () => {
    const positive = { score: 0.9, label: 1 };
    const negative = { score: 0.1, label: 0 };
    const pair = (a: UserKey, b: UserKey) =>
      gaucOf([
        { user: a, ...positive },
        { user: b, ...negative },
      ]);
    expect(pair(7, 7n)).toBe(1);
    expect(pair(7, '7')).toBeNull();
    expect(pair(2n ** 60n, 2n ** 60n)).toBe(1);
    expect(pair(2n ** 60n, 2n ** 60n + 1n)).toBeNull();
    const appended = stateOf([{ user: 7, ...positive }]);
    appended.append(stateOf([{ user: 7n, ...negative }]));
    expect(appended.compute().gauc).toBe(1);
  });
});
