import { expect, test } from 'vitest';
import { chanceOfEqualCounts, chanceRatio, chanceShare, isByChance } from '../../lib/gates/chance.ts';

test('a share that nobody has seen may still be there: among ten rows more than among a million', () => {
  const few = chanceShare(0, 10, 0, 10);
  // Four deviations of (0 + 0 + 1) / (10 + 10 + 2) between ten rows and ten.
  expect(few).toBeCloseTo(4 * Math.sqrt((1 / 22) * (21 / 22) * (1 / 10 + 1 / 10)), 12);
  const many = chanceShare(0, 1e6, 0, 1e6);
  expect(many).toBeGreaterThan(0);
  expect(many).toBeLessThan(few / 1000);
});

test('a mean of few rows may be next to nothing, or far above; those of many are as they are', () => {
  const many = { mean: 0.1, rows: 1e9 };
  // Four deviations of .5 in 64 rows are a quarter of the mean, which the mean of the others is.
  expect(chanceRatio(0.5, { mean: 0.2, rows: 64 }, many)).toBeCloseTo(1.25, 6);
  expect(chanceRatio(0.5, many, { mean: 0.05, rows: 64 })).toBeCloseTo(1 / 0.75, 6);
  expect(chanceRatio(0.5, many, { mean: 0.05, rows: 3 })).toBe(Number.POSITIVE_INFINITY);
  expect(chanceRatio(0.5, many, many)).toBeLessThan(1.001);
});

test('all of a few rows may have by chance what a third has: of eight, once in 6,561 times, and not of nine', () => {
  expect(isByChance(8, 8, 1 / 3)).toBe(true);
  expect(isByChance(9, 9, 1 / 3)).toBe(false);
  expect(isByChance(1, 9, 1 / 3)).toBe(true);
  // Half of a hundred rows are some 3.5 deviations above a third, and two thirds are 7.
  expect(isByChance(50, 100, 1 / 3)).toBe(true);
  expect(isByChance(67, 100, 1 / 3)).toBe(false);
  expect(isByChance(1, 1, 0)).toBe(false);
});

test('equal counts in two samples are as unlikely as the exact distributions say', () => {
  // Two of 100 fair coins: the binomial coefficient of 200 over 100, over 2^200.
  const coins = Array.from({ length: 100 }, (_, index) => (index + 101) / (index + 1) / 4).reduce(
    (a, b) => a * b,
  );
  expect(chanceOfEqualCounts([50, 50])).toBeCloseTo(coins, 3);
  // Independent pairs of bins: of 200 rows in four bins, the two halves' sizes and then each half's coins.
  const halves = Array.from({ length: 200 }, (_, index) => (index + 201) / (index + 1) / 4).reduce(
    (a, b) => a * b,
  );
  expect(chanceOfEqualCounts([50, 50, 50, 50]) / (halves * coins ** 2)).toBeCloseTo(1, 1);
  expect(chanceOfEqualCounts([0, 7])).toBe(1);
  expect(chanceOfEqualCounts([])).toBe(1);
});
