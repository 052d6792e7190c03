import { describe, expect, it } from 'vitest';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { bucketOf } from '../../lib/features/featureNumbers.ts';
import { QuantileSample } from '../../lib/features/quantileSample.ts';

function boundariesOf(values: Iterable<number>, buckets: number): number[] {
  const sample = new QuantileSample();
  for (const value of values) sample.add(value);
  return sample.boundaries(buckets);
}

describe('QuantileSample', () => {
  it('cuts a small stream into buckets of equal size', () => {
    const values = Array.from({ length: 1000 }, (_, i) => (i * 7919) % 1000);
    const boundaries = boundariesOf(values, 10);
    expect(boundaries).toEqual([99, 199, 299, 399, 499, 599, 699, 799, 899]);
    const counts = new Array<number>(10).fill(0);
    for (const value of values) counts[bucketOf(boundaries, value)]!++;
    expect(counts).toEqual(new Array(10).fill(100));
    // Sizes that don't divide: ranks 2.5, 5 and 7.5 of ten are rounded up.
    expect(boundariesOf([10, 9, 8, 7, 6, 5, 4, 3, 2, 1], 4)).toEqual([3, 5, 8]);
  });

  it('gives a constant column one bucket and few distinct values one bucket each', () => {
    expect(boundariesOf([5, 5, 5], 4)).toEqual([]);
    expect(boundariesOf([3, 1, 2, 3, 1, 2], 100)).toEqual([1, 2]);
    expect(boundariesOf([1, 1, 1, 1, 1, 1, 1, 1, 1, 9], 4)).toEqual([1]);
    expect(boundariesOf([], 4)).toEqual([]);
  });

  it('never makes an infinity or -0 a boundary: JSON holds neither', () => {
    expect(boundariesOf([-Infinity, -Infinity, 1, 2, 3, Infinity], 6)).toEqual([1, 2, 3]);
    expect(boundariesOf([Infinity, Infinity, -Infinity], 4)).toEqual([]);
    expect(Object.is(boundariesOf([-0, 1], 2)[0], 0)).toBe(true);
  });

  it('is off by less than 0.8% of the rows on a million values in sorted, reversed and random order', () => {
    // Five standard errors of a quantile's rank: 5 sqrt(p (1 - p) / 100,000) <= 0.0079.
    const count = 1_000_000;
    const orders: ((i: number) => number)[] = [
      (i) => i,
      (i) => count - 1 - i,
      (i) => (i * 7_368_787) % count,
    ];
    for (const order of orders) {
      const sample = new QuantileSample();
      for (let i = 0; i < count; i++) sample.add(order(i));
      const boundaries = sample.boundaries(20);
      expect(boundaries).toHaveLength(19);
      boundaries.forEach((boundary, i) => {
        expect(Math.abs(boundary / count - (i + 1) / 20)).toBeLessThan(0.008);
      });
    }
  });

  it('keeps exactly the values that algorithm R keeps, each with the same chance', () => {
    // Written out from Vitter's paper: value i (from 0) replaces a random one of the first i + 1 places, if it is in the sample.
    const sampleSize = 100_000;
    const rows = 160_000;
    const random = new RandomStream(1);
    const kept: number[] = [];
    for (let i = 0; i < rows; i++) {
      if (i < sampleSize) kept.push(i);
      else {
        const place = random.nextBelow(i + 1);
        if (place < sampleSize) kept[place] = i;
      }
    }
    kept.sort((a, b) => a - b);
    // As many buckets as values: every value but the largest is a boundary.
    const boundaries = boundariesOf(Array.from({ length: rows }).keys(), sampleSize);
    expect(boundaries).toHaveLength(sampleSize - 1);
    expect(boundaries.findIndex((boundary, i) => boundary !== kept[i])).toBe(-1);
  });

  it('gives the same boundaries for the same stream', () => {
    const stream = function* () {
      const random = new RandomStream(9);
      for (let i = 0; i < 150_000; i++) yield random.nextNormal();
    };
    expect(boundariesOf(stream(), 50)).toEqual(boundariesOf(stream(), 50));
  });
});

describe('bucketOf', () => {
  it('puts a value into (lower boundary, upper boundary], as a scan does', () => {
    const boundaries = [-2, 0, 0.5, 3];
    for (const value of [-Infinity, -3, -2, -1.9, -0, 0, 0.4, 0.5, 0.6, 3, 3.1, Infinity]) {
      const scanned = boundaries.filter((boundary) => boundary < value).length;
      expect(bucketOf(boundaries, value)).toBe(scanned);
    }
    expect(bucketOf([], 7)).toBe(0);
  });
});
