import { describe, expect, it } from 'vitest';
import { RandomStream } from '../../lib/base/randomStream.ts';

function take(count: number, next: () => number): number[] {
  return Array.from({ length: count }, next);
}

describe('RandomStream', () => {
  it('gives the same numbers for the same seed, and others for every other seed', () => {
    const firstOf = (seed: number) => {
      const stream = new RandomStream(seed);
      return take(4, () => stream.nextUniform()).join();
    };
    expect(firstOf(7)).toBe(firstOf(7));
    const seeds = [...Array(1000).keys(), 2 ** 32, 2 ** 32 + 1, 2 ** 53 - 1];
    expect(new Set(seeds.map(firstOf)).size).toBe(seeds.length);
  });

  it('is pinned: the same seed trains the same model in every version', () => {
    const stream = new RandomStream(1);
    expect(take(3, () => stream.nextUniform() * 2 ** 32)).toEqual([2308299391, 1950625580, 354034397]);
  });

  it('branches into a stream of other numbers, the same for the same state, and stays where it is', () => {
    const [stream, twin] = [new RandomStream(6), new RandomStream(6)];
    const branch = stream.branch();
    const [own, branched] = [stream, branch].map((one) => take(10_000, () => one.nextNormal()));
    expect(own).toEqual(take(10_000, () => twin.nextNormal()));
    expect(new RandomStream(6).branch().nextNormal()).toBe(branched![0]);
    const correlation = (shift: number) =>
      own!.reduce((sum, value, i) => sum + value * (branched![i + shift] ?? 0), 0) / own!.length;
    // Five standard errors.
    for (const shift of [0, 1, 2]) expect(Math.abs(correlation(shift))).toBeLessThan(5 / Math.sqrt(10_000));
  });

  it('is uniform in [0, 1), also per bit and from one number to the next', () => {
    const stream = new RandomStream(3);
    const count = 200_000;
    const values = take(count, () => stream.nextUniform());
    expect(values.every((value) => value >= 0 && value < 1)).toBe(true);
    // Five standard errors of each mean.
    const mean = (of: (value: number, i: number) => number) =>
      values.reduce((sum, v, i) => sum + of(v, i), 0) / count;
    expect(Math.abs(mean((value) => value) - 1 / 2)).toBeLessThan(5 * Math.sqrt(1 / 12 / count));
    const lagged = mean((value, i) => (value - 0.5) * ((values[i + 1] ?? 0.5) - 0.5));
    expect(Math.abs(lagged)).toBeLessThan((5 / 12) * Math.sqrt(1 / count));
    for (let bit = 0; bit < 32; bit++) {
      const ones = mean((value) => Math.floor(value * 2 ** (bit + 1)) % 2);
      expect(Math.abs(ones - 1 / 2)).toBeLessThan(5 * Math.sqrt(1 / 4 / count));
    }
  });

  it('draws integers below the bound, each as often, for bounds on both sides of 2^32', () => {
    const stream = new RandomStream(4);
    const counts = new Array<number>(7).fill(0);
    for (let i = 0; i < 70_000; i++) counts[stream.nextBelow(7)]!++;
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(5 * Math.sqrt(10_000));
    const bound = 2 ** 53;
    const large = take(10_000, () => stream.nextBelow(bound));
    expect(large.every((value) => Number.isSafeInteger(value) && value >= 0)).toBe(true);
    expect(large.some((value) => value % 2 === 1)).toBe(true);
    const mean = large.reduce((sum, value) => sum + value / bound, 0) / large.length;
    expect(Math.abs(mean - 1 / 2)).toBeLessThan(5 * Math.sqrt(1 / 12 / large.length));
  });

  it('draws normals with mean 0, variance 1 and kurtosis 3', () => {
    const stream = new RandomStream(5);
    const count = 200_000;
    const values = take(count, () => stream.nextNormal());
    const moment = (power: number) => values.reduce((sum, value) => sum + value ** power, 0) / count;
    // Five standard errors: variances of x, x^2, x^4 are 1, 2 and 96.
    expect(Math.abs(moment(1))).toBeLessThan(5 * Math.sqrt(1 / count));
    expect(Math.abs(moment(2) - 1)).toBeLessThan(5 * Math.sqrt(2 / count));
    expect(Math.abs(moment(4) - 3)).toBeLessThan(5 * Math.sqrt(96 / count));
  });

  it('shuffles into every order equally often, losing nothing', () => {
    const stream = new RandomStream(6);
    const orders = new Map<string, number>();
    for (let i = 0; i < 24_000; i++) {
      const items = Int32Array.of(1, 2, 3, 4);
      stream.shuffle(items);
      orders.set(items.join(), (orders.get(items.join()) ?? 0) + 1);
    }
    expect(orders.size).toBe(24);
    for (const count of orders.values()) expect(Math.abs(count - 1000)).toBeLessThan(5 * Math.sqrt(1000));
  });
});
