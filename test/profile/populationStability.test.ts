import fc from 'fast-check';
import { expect, test } from 'vitest';
import { populationStability } from '../../lib/profile/populationStability.ts';

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
