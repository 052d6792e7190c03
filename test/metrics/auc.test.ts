import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { Auc } from '../../lib/metrics/auc.ts';
import { BinnedAuc } from '../../lib/metrics/binnedAuc.ts';
import { scoreOrder } from '../../lib/metrics/rankAuc.ts';
import { rows, splitRows } from './arbitraries.ts';
import { aucByPairs, type LabelledScore } from './definitions.ts';

function aucOf(labelled: readonly LabelledScore[], auc: Auc | BinnedAuc = new Auc()): number | null {
  for (const { score, label } of labelled) auc.add(score, label);
  return auc.compute();
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

  test('merging the states of any split equals the state of all rows, also through JSON', () => {
    fc.assert(
      fc.property(splitRows, ({ all, parts }) => {
        const merged = new Auc();
        for (const part of parts) {
          const auc = new Auc();
          aucOf(part, auc);
          merged.merge(Auc.fromJSON(JSON.parse(JSON.stringify(auc))));
        }
        expect(merged.compute()).toEqual(aucOf(all));
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
    expect(() => new Auc().add(score, 1)).toThrow(expect.objectContaining({ code: 'METRIC_SCORE_INVALID' }));
  });

  test.each([Number.NaN, -0.1, 1.1])('a label of %s is an error', (label) => {
    expect(() => new Auc().add(0.5, label)).toThrow(
      expect.objectContaining({ code: 'METRIC_LABEL_INVALID' }),
    );
  });

  test('a damaged saved state is an error', () => {
    expect(() => Auc.fromJSON({ scores: 'AAAAAAA=', labels: '' })).toThrow(
      expect.objectContaining({ code: 'METRIC_STATE_INVALID' }),
    );
    expect(() => Auc.fromJSON({ scores: 'AAAAAA==', labels: '' })).toThrow(
      expect.objectContaining({ code: 'METRIC_STATE_INVALID' }),
    );
  });

  test('a million rows take well under two seconds', () => {
    const random = new RandomStream(1);
    const auc = new Auc();
    const startMillis = performance.now();
    for (let row = 0; row < 1_000_000; row++) {
      const p = random.nextUniform();
      auc.add(p, random.nextUniform() < p ? 1 : 0);
    }
    // Labels drawn from uniform p: the AUC's expectation is 5/6, its standard error here about 0.0004.
    expect(auc.compute()).toBeCloseTo(5 / 6, 2);
    expect(performance.now() - startMillis).toBeLessThan(2000);
  });
});

describe('binned AUC', () => {
  test('is off by no more than it says, and by less than 0.0005 for scores spread over the bins', () => {
    fc.assert(
      fc.property(rows, (labelled) => {
        const binned = new BinnedAuc();
        const found = aucOf(labelled, binned);
        const exact = aucOf(labelled);
        if (exact === null) {
          expect(found).toBeNull();
          expect(binned.maxError()).toBeNull();
        } else expect(Math.abs(found! - exact)).toBeLessThanOrEqual(binned.maxError()! + 1e-12);
      }),
    );
    const random = new RandomStream(2);
    const spread = Array.from({ length: 20_000 }, () => {
      const score = Math.fround(1 / (1 + Math.exp(2 - random.nextNormal())));
      return { score, label: random.nextUniform() < score ? 1 : 0 };
    });
    const binned = new BinnedAuc();
    expect(Math.abs(aucOf(spread, binned)! - aucOf(spread)!)).toBeLessThan(0.0005);
    expect(binned.maxError()).toBeLessThan(0.0005);
  });

  test('keeps the ends of the range: 0, 1 and probabilities beyond the outer bins', () => {
    expect(aucOf(pairsOf([0, 1e-30, 0.5, 1 - 2 ** -24, 1], [0, 0, 0, 1, 1]), new BinnedAuc())).toBe(1);
  });

  test('merging any split equals the whole, also through JSON', () => {
    fc.assert(
      fc.property(splitRows, ({ all, parts }) => {
        const merged = new BinnedAuc();
        for (const part of parts) {
          const auc = new BinnedAuc();
          aucOf(part, auc);
          merged.merge(BinnedAuc.fromJSON(JSON.parse(JSON.stringify(auc))));
        }
        expect(merged.compute()).toEqual(aucOf(all, new BinnedAuc()));
      }),
      { numRuns: 30 },
    );
  });

  test('a score that is no probability, and a saved bin that does not exist, are errors', () => {
    expect(() => new BinnedAuc().add(1.01, 1)).toThrow(
      expect.objectContaining({ code: 'METRIC_SCORE_INVALID' }),
    );
    expect(() => BinnedAuc.fromJSON({ bins: [[16_384, 1, 1]] })).toThrow(
      expect.objectContaining({ code: 'METRIC_STATE_INVALID' }),
    );
  });
});
