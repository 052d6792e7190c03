import { describe, expect, it } from 'vitest';
import type { GraphLayer } from '../../lib/quantise/denseLayers.ts';
import { integerWeights } from '../../lib/quantise/integerWeights.ts';

/** A layer of two inputs and two units, of known weights. */
function layer(weight: number[], bias: number[]): GraphLayer {
  const unitCount = bias.length;
  return {
    nodes: [],
    sum: 'sum',
    groups: ['x'],
    inputCount: weight.length / unitCount,
    unitCount,
    weight: Float32Array.from(weight),
    bias: Float32Array.from(bias),
  };
}

/** Values that lie on the grid, so that rounding them loses nothing. */
const input = (step: number, zeroPoint: number, integers: number[]) => ({
  activation: { columnCount: 1, values: Float32Array.from(integers, (q) => step * (q - zeroPoint)) },
  grid: { step, zeroPoint },
});

describe('integerWeights', () => {
  it('gives each unit its own scale and folds steps and zero points into weights and bias', () => {
    const inputs = [input(0.5, 10, [10, 30]), input(0.25, 100, [100, 140])];
    const result = integerWeights(layer([1, 0.01, -2, 0.02], [3, -1]), inputs);
    expect([...result.weight]).toEqual([64, 64, -64, 64]);
    expect([...result.scales]).toEqual([0.5 / 64, 0.005 / 64].map(Math.fround));
    // x = (5, -10): integers 20 and 60.
    const sum = (unit: number) =>
      result.scales[unit]! * (20 * result.weight[unit]! + 60 * result.weight[2 + unit]! + result.bias[unit]!);
    expect(sum(0)).toBeCloseTo(5 * 1 - 10 * -2 + 3, 2);
    expect(sum(1)).toBeCloseTo(5 * 0.01 - 10 * 0.02 - 1, 4);
  });

  it('takes off the bias what rounding the weights adds on average', () => {
    const inputs = [input(1, 0, [0, 200]), input(1, 0, [100, 100])];
    // .0105 of 1 / 64 rounds to 1 / 64: on average 100 x (1 / 64 - .0105) too much.
    const { weight, scales, bias } = integerWeights(layer([1, 0.0105], [0]), inputs);
    expect([...weight]).toEqual([64, 1]);
    const mean = scales[0]! * (100 * 64 + 100 * 1 + bias[0]!);
    expect(mean).toBeCloseTo(100 + 1.05, 1);
  });

  it('keeps a unit without weights the constant that it is, and a bias that dwarfs its weights', () => {
    const inputs = [input(1, 7, [0, 255])];
    const { scales, bias, weight } = integerWeights(layer([0, 1e-12, 0], [0.75, 5, 0]), inputs);
    expect(bias[0]! * scales[0]!).toBeCloseTo(0.75, 6);
    expect(scales[1]! * (bias[1]! + 255 * weight[1]!)).toBeCloseTo(5, 6);
    expect([bias[2], weight[2]]).toEqual([0, 0]);
  });
});
