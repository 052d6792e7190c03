import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { BinnedAuc } from '../../lib/metrics/binnedAuc.ts';
import { hardLabel, rows, splitRows } from './arbitraries.ts';
import { aucByPairs, type LabelledScore } from './definitions.ts';

function stateOf(labelled: readonly LabelledScore[]): BinnedAuc {
  const binned = new BinnedAuc();
  for (const { score, label } of labelled) binned.add(score, label);
  return binned;
}

/** Rows that a bin can't tell apart, with both classes: at most 1e-6 around 1/2, where a bin is 5e-4 wide. */
const sharedBin = fc
  .array(fc.record({ steps: fc.integer({ min: 0, max: 3 }), label: hardLabel }), {
    minLength: 2,
    maxLength: 12,
  })
  .filter((all) => new Set(all.map(({ label }) => label)).size === 2)
  .map((all) => all.map(({ steps, label }) => ({ score: 0.5003 + steps * 2.5e-7, label })));

describe('binned AUC', () => {
  test('is off by no more than it says, whatever the rows', () => {
    fc.assert(
      fc.property(fc.oneof(rows, sharedBin), (labelled) => {
        const binned = stateOf(labelled);
        const exact = aucByPairs(labelled);
        if (exact === null) {
          expect(binned.compute()).toBeNull();
          expect(binned.maxError()).toBeNull();
        } else {
          expect(Math.abs(binned.compute()! - exact)).toBeLessThanOrEqual(binned.maxError()! + 1e-12);
          expect(binned.maxError()).toBeLessThanOrEqual(0.5);
        }
      }),
    );
  });

  test('is off by all that it says when the bins hide a perfect order, or its reverse', () => {
    // Bins of two positives and three negatives each, far apart; within a bin every pair is in order.
    const bins = [0.001, 0.2, 0.7].flatMap((start) => {
      const place = (offset: number) => start * (1 + offset * 1e-5);
      return [
        ...[1, 2, 3].map((offset) => ({ score: place(offset), label: 0 })),
        ...[4, 5].map((offset) => ({ score: place(offset), label: 1 })),
      ];
    });
    const mirrored = bins.map(({ score, label }) => ({ score, label: 1 - label }));
    for (const labelled of [bins, mirrored]) {
      const binned = stateOf(labelled);
      // Of three bins with as many rows, a third of the pairs share one.
      expect(binned.maxError()).toBeCloseTo(1 / 6, 12);
      expect(Math.abs(binned.compute()! - aucByPairs(labelled)!)).toBeCloseTo(binned.maxError()!, 12);
    }
  });

  test('is off by all that it says for events so rare that every score is beyond the outer bin', () => {
    const labelled = [
      { score: 1e-9, label: 0 },
      { score: 2e-9, label: 1 },
    ];
    const binned = stateOf(labelled);
    expect([binned.compute(), binned.maxError()]).toEqual([0.5, 0.5]);
    expect(aucByPairs(labelled)).toBe(1);
  });

  test('is exact, and says so, when no two classes share a bin', () => {
    const labelled = [0.1, 0.2, 0.3, 0.4, 0.5].map((score, row) => ({ score, label: row % 2 }));
    const binned = stateOf(labelled);
    expect(binned.maxError()).toBe(0);
    expect(binned.compute()).toBe(aucByPairs(labelled));
  });

  test('is null without rows and with one class, and so is its bound', () => {
    for (const labels of [[], [0, 0], [1, 1]]) {
      const binned = stateOf(labels.map((label) => ({ score: 0.5, label })));
      expect([binned.compute(), binned.maxError()]).toEqual([null, null]);
    }
  });

  test('is within 0.0005 for scores spread over the bins, by a bound of that size', () => {
    const random = new RandomStream(2);
    const spread = Array.from({ length: 2_000 }, () => {
      const score = Math.fround(1 / (1 + Math.exp(2 - random.nextNormal())));
      return { score, label: random.nextUniform() < score ? 1 : 0 };
    });
    const binned = stateOf(spread);
    expect(Math.abs(binned.compute()! - aucByPairs(spread)!)).toBeLessThan(0.0005);
    expect(binned.maxError()).toBeLessThan(0.0005);
    expect(binned.maxError()).toBeGreaterThan(0);
  });

  test('has bins of 1/512 in the log-odds, from -16 to 16, and one of all beyond on either side', () => {
    const at = (logOdds: number) => 1 / (1 + Math.exp(-logOdds));
    const shares = (low: number, high: number) =>
      stateOf([
        { score: at(low), label: 0 },
        { score: at(high), label: 1 },
      ]).maxError() === 0.5;
    for (const edge of [-15.75, -3, 0, 2.5, 12]) {
      expect(shares(edge + 0.02 / 512, edge + 0.98 / 512), `from ${edge}`).toBe(true);
      expect(shares(edge - 0.02 / 512, edge + 0.02 / 512), `across ${edge}`).toBe(false);
      expect(shares(edge + 0.98 / 512, edge + 1.02 / 512), `up to ${edge}`).toBe(false);
    }
    expect(shares(-30, -16 + 0.9 / 512)).toBe(true);
    expect(shares(-30, -16 + 1.1 / 512)).toBe(false);
    expect(shares(16 - 0.9 / 512, 30)).toBe(true);
    expect(shares(16 - 1.1 / 512, 30)).toBe(false);
  });

  test('keeps the ends of the range: 0, 1 and probabilities beyond the outer bins', () => {
    const ends = [0, 1e-30, 0.5, 1 - 2 ** -24, 1].map((score, row) => ({ score, label: row < 3 ? 0 : 1 }));
    expect(stateOf(ends).compute()).toBe(1);
    expect(stateOf(ends).maxError()).toBe(0);
  });

  test('merging any split equals the whole', () => {
    fc.assert(
      fc.property(splitRows, ({ all, parts }) => {
        const merged = new BinnedAuc();
        for (const part of parts) merged.merge(stateOf(part));
        const whole = stateOf(all);
        expect([merged.compute(), merged.maxError()]).toEqual([whole.compute(), whole.maxError()]);
      }),
      { numRuns: 30 },
    );
  });

  test('a score that is no probability is an error', () => {
    for (const score of [1.01, -0.01, Number.NaN]) {
      expect(() => new BinnedAuc().add(score, 1)).toThrow(
        expect.objectContaining({ code: 'METRIC_SCORE_INVALID' }),
      );
    }
  });
});
