import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { chanceStability, populationStability } from '../../lib/profile/populationStability.ts';

const counts = fc.array(fc.nat(1_000), { minLength: 2, maxLength: 80 });

test('equal shares have the index 0, of however few rows and in however many bins', () => {
  fc.assert(
    fc.property(counts, fc.integer({ min: 1, max: 9 }), (bins, times) => {
      expect(
        populationStability(
          bins,
          bins.map((count) => times * count),
        ),
      ).toBeCloseTo(0, 12);
    }),
  );
});

test('the index is symmetric, finite and never negative', () => {
  const pair = fc.integer({ min: 2, max: 80 }).chain((length) => {
    const bins = fc.array(fc.nat(1_000), { minLength: length, maxLength: length });
    return fc.tuple(bins, bins);
  });
  fc.assert(
    fc.property(pair, ([a, b]) => {
      const index = populationStability(a, b);
      expect(Number.isFinite(index)).toBe(true);
      expect(index).toBeGreaterThanOrEqual(-1e-12);
      expect(populationStability(b, a)).toBeCloseTo(index, 9);
    }),
  );
});

test('many rows in two bins have the index that the formula gives', () => {
  const [p, q] = [0.75, 0.5];
  const exact = (p - q) * Math.log(p / q) + (q - p) * Math.log((1 - p) / (1 - q));
  expect(populationStability([7.5e8, 2.5e8], [5e8, 5e8])).toBeCloseTo(exact, 6);
});

test('a bin that has emptied is far, and not infinitely', () => {
  const index = populationStability([0, 2_000], [1_000, 1_000]);
  expect(index).toBeGreaterThan(2);
  expect(index).toBeLessThan(10);
});

test('a histogram without rows says nothing', () => {
  expect(populationStability([0, 0], [1, 2])).toBe(0);
  expect(populationStability([1, 2], [0, 0])).toBe(0);
});

test('what chance may do has the mean of a chi-squared distribution, and is exceeded as seldom as it says', () => {
  const random = new RandomStream(3);
  const sample = (bins: number, rows: number) => {
    const counts = new Array<number>(bins).fill(0);
    for (let row = 0; row < rows; row++) counts[random.nextBelow(bins)]!++;
    return counts;
  };
  const share = (bins: number, deviations?: number) => {
    const bound = chanceStability(bins, 900, 600, deviations);
    const pairs = Array.from({ length: 4000 }, () =>
      populationStability(sample(bins, 900), sample(bins, 600)),
    );
    return { above: pairs.filter((index) => index > bound).length / 4000, bound, pairs };
  };
  const { bound, pairs } = share(12, 0);
  expect(pairs.reduce((sum, index) => sum + index, 0) / 4000 / bound).toBeCloseTo(1, 1);
  // .0017 are expected, with a standard error of .0007; of two bins .0099 and .0016.
  expect(share(12).above).toBeLessThan(0.0045);
  const ofTwo = share(2).above;
  expect(ofTwo).toBeGreaterThan(0.005);
  expect(ofTwo).toBeLessThan(0.016);
});

test('what chance may do is infinite without rows, and that of one bin is that of two', () => {
  expect(chanceStability(12, 0, 100)).toBe(Number.POSITIVE_INFINITY);
  expect(chanceStability(1, 50, 100)).toBe(chanceStability(2, 50, 100));
});
