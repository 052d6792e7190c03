import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { kendallTau, PairScratch } from '../../lib/diff/kendallTau.ts';
import { bitsOf, naiveTau } from './naiveRanking.ts';

/** Few values, so that ties of all three kinds are common. */
const scores = fc.oneof(fc.constantFrom(0, 0.25, 0.5, 1), fc.float({ min: 0, max: 1, noNaN: true }));
const pairs = fc.array(fc.tuple(scores, scores), { maxLength: 40 });

describe("Kendall's tau-b", () => {
  it('is what counting every pair gives, ties of all kinds included, with memory that is used again', () => {
    const scratch = new PairScratch();
    fc.assert(
      fc.property(pairs, (rows) => {
        const [a, b] = [rows.map(([score]) => score + 0), rows.map(([, score]) => score + 0)];
        const found = kendallTau(bitsOf(a), bitsOf(b), scratch);
        const expected = naiveTau(a, b);
        expect(found.isChanged).toBe(expected.isChanged);
        if (expected.tau === null) expect(found.tau).toBeNull();
        else expect(found.tau).toBeCloseTo(expected.tau, 12);
      }),
      { numRuns: 500 },
    );
  });

  it('is 1 for the same order, -1 for the reverse, and undefined where a score is the same for all rows', () => {
    const up = bitsOf([0.1, 0.2, 0.3, 0.4]);
    expect(kendallTau(up, bitsOf([0.5, 0.6, 0.7, 0.8]))).toEqual({ tau: 1, isChanged: false });
    expect(kendallTau(up, up.slice().reverse())).toEqual({ tau: -1, isChanged: true });
    expect(kendallTau(up, bitsOf([0.5, 0.5, 0.5, 0.5]))).toEqual({ tau: null, isChanged: true });
    expect(kendallTau(up.slice(0, 1), up.slice(0, 1))).toEqual({ tau: null, isChanged: false });
  });

  it('has the published value of an example with ties', () => {
    // Ranks (1, 2.5, 2.5, 4) against (1, 2, 3.5, 3.5): C = 4, D = 0, one tie in each: 4 / sqrt(5 * 5).
    const found = kendallTau(bitsOf([0.1, 0.2, 0.2, 0.4]), bitsOf([0.1, 0.2, 0.3, 0.3]));
    expect(found).toEqual({ tau: expect.closeTo(0.8, 12), isChanged: true });
  });

  it('takes n log n steps: 300,000 rows in less than two seconds', () => {
    const count = 300_000;
    const a = Uint32Array.from({ length: count }, (_, row) => (row * 2_654_435_761) >>> 2);
    const b = Uint32Array.from({ length: count }, (_, row) => (row * 40_503 * 65_537) >>> 2);
    const startMillis = performance.now();
    expect(Math.abs(kendallTau(a, b).tau!)).toBeLessThan(0.5);
    // Counting pairs would take 45 thousand million steps.
    expect(performance.now() - startMillis).toBeLessThan(2_000);
  });
});
