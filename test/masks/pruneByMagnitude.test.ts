import { describe, expect, test } from 'vitest';
import { density, pruneByMagnitude } from '../../lib/masks/pruneByMagnitude.ts';

const ones = (size: number) => new Uint8Array(size).fill(1);
const kept = (mask: readonly Uint8Array[]) => mask.map((layer) => layer.reduce((sum, bit) => sum + bit, 0));

describe('pruning by magnitude', () => {
  test('keeps 7, 5, 3 and 2 of 10 weights in four rounds to a density of 0.2 (oracle T4)', () => {
    const weights = [Float32Array.from([0.1, -0.2, 0.3, -0.4, 0.5, -0.6, 0.7, -0.8, 0.9, -1])];
    const fraction = 1 - 0.2 ** (1 / 4);
    let mask: readonly Uint8Array[] = [ones(10)];
    const counts: number[] = [];
    for (let round = 0; round < 4; round++) {
      const next = pruneByMagnitude(weights, mask, fraction);
      // Nested (oracle T5): nothing comes back.
      next[0]!.forEach((bit, i) => {
        expect(bit).toBeLessThanOrEqual(mask[0]![i]!);
      });
      mask = next;
      counts.push(kept(mask)[0]!);
    }
    expect(counts).toEqual([7, 5, 3, 2]);
    expect([...mask[0]!]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
    expect(density(mask)).toBe(0.2);
  });

  test('cuts over all layers together: a layer of small weights loses more', () => {
    const large = Float32Array.from({ length: 100 }, (_, i) => 1 + i / 100);
    const small = Float32Array.from({ length: 100 }, (_, i) => 0.01 + i / 1000);
    expect(kept(pruneByMagnitude([large, small], [ones(100), ones(100)], 0.25))).toEqual([100, 50]);
  });

  test('never empties a layer: 1% of its connections stay, at least one', () => {
    const large = new Float32Array(100).fill(5);
    const small = Float32Array.from({ length: 400 }, (_, i) => i / 1e6);
    const [, smallMask] = pruneByMagnitude([large, small], [ones(100), ones(400)], 0.8);
    expect(smallMask!.reduce((sum, bit) => sum + bit, 0)).toBe(4);
    expect([...smallMask!.subarray(396)]).toEqual([1, 1, 1, 1]);
    const [, tiny] = pruneByMagnitude([large, Float32Array.of(0.1, 0.2)], [ones(100), ones(2)], 0.5);
    expect([...tiny!]).toEqual([0, 1]);
  });

  test('the 1% is rounded up, counts the largest wherever they stand, and takes nothing from a layer already below', () => {
    const large = new Float32Array(100).fill(5);
    const falling = Float32Array.from({ length: 150 }, (_, i) => (150 - i) / 1e6);
    const [, least] = pruneByMagnitude([large, falling], [ones(100), ones(150)], 0.8);
    expect(kept([least!])).toEqual([2]);
    expect([...least!.subarray(0, 2)]).toEqual([1, 1]);
    const sparse = Uint8Array.from(falling, (_, i) => (i === 7 ? 1 : 0));
    expect(pruneByMagnitude([large, falling], [ones(100), sparse], 0.8)[1]).toEqual(sparse);
  });

  test('ranks every layer, the ones between first and last too', () => {
    const layers = [Float32Array.of(1, 2), Float32Array.of(3, 4), Float32Array.of(5, 6)];
    const masks = layers.map(({ length }) => ones(length));
    expect(kept(pruneByMagnitude(layers, masks, 1 / 3))).toEqual([1, 2, 2]);
  });

  test.each([
    ['2.5 weights are 2', 0.25, 8],
    ['3.5 weights are 4', 0.35, 6],
    ['all weights are all but the largest', 1, 1],
  ])('a fraction is of whole weights, halves to the even number: %s', (_title, fraction, left) => {
    const weights = Float32Array.from({ length: 10 }, (_, i) => i + 1);
    const [mask] = pruneByMagnitude([weights], [ones(10)], fraction);
    expect([...mask!]).toEqual([...weights].map((weight) => (weight > 10 - left ? 1 : 0)));
  });

  test('a mask that keeps nothing stays so, in a copy', () => {
    const nothing = new Uint8Array(3);
    const [next] = pruneByMagnitude([Float32Array.of(1, 2, 3)], [nothing], 0.5);
    expect(next).toEqual(nothing);
    expect(next).not.toBe(nothing);
  });

  test('ties at the cut survive, and a pruned weight never returns however large it grew', () => {
    const tied = new Float32Array(10).fill(-0.5);
    expect(kept(pruneByMagnitude([tied], [ones(10)], 0.3))).toEqual([10]);
    const mask = Uint8Array.of(0, 1, 1, 1);
    const [next] = pruneByMagnitude([Float32Array.of(9, 1, 2, 3)], [mask], 0.34);
    expect([...next!]).toEqual([0, 0, 1, 1]);
    expect([...mask]).toEqual([0, 1, 1, 1]);
  });
});

test('density is the share over all layers, and 0 of none', () => {
  expect(density([Uint8Array.of(1, 1, 1), Uint8Array.of(0, 1, 0, 0, 0)])).toBe(0.5);
  expect(density([])).toBe(0);
});
