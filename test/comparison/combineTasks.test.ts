import { describe, expect, it } from 'vitest';
import { perTask, TASKS } from '../../lib/base/tasks.ts';
import { expertsConfig } from '../../lib/comparison/arms.ts';
import { combineTasks } from '../../lib/comparison/combineTasks.ts';
import { permuteConversions, randomMasks } from '../../lib/comparison/controls.ts';
import { networkCost } from '../../lib/comparison/networkCost.ts';
import { summarise } from '../../lib/comparison/pairedDifference.ts';
import { type NcsNetworkConfig, networkConfigSchema } from '../../lib/network/networkConfig.ts';
import { networkShape } from '../../lib/network/networkShape.ts';
import { allOnesMasks } from '../../lib/network/taskMasks.ts';
import { ForwardPass } from '../../lib/training/forwardPass.ts';
import {
  syntheticLayout,
  syntheticMasks,
  syntheticRows,
  syntheticWeights,
} from '../fixtures/syntheticModel.ts';

const layout = syntheticLayout({});
const config = networkConfigSchema.parse({
  kind: 'ncs',
  embeddingWidth: 3,
  hidden: [8, 5],
  cross: { mode: 'upper', fields: ['s0', 'l0'] },
}) as NcsNetworkConfig;
const shape = networkShape(config, layout);
const set = syntheticRows(layout, 50);

describe('two networks trained apart', () => {
  it.each([['dense'], ['masked']])('score in one bundle exactly as alone when %s', async (kind) => {
    const weights = { click: syntheticWeights(shape, 1), conversion: syntheticWeights(shape, 2) };
    const masks = kind === 'masked' ? syntheticMasks(shape, 0.5) : undefined;
    const combined = combineTasks(config, layout, weights, masks);
    const both = await ForwardPass.create(combined.shape, undefined, 1);
    const found = await both.predict(combined.weights, set);
    await both.release();
    const alone = await ForwardPass.create(shape, masks, 1);
    const [click, conversion] = [
      await alone.predict(weights.click, set),
      await alone.predict(weights.conversion, set),
    ];
    await alone.release();
    found.pctr.forEach((p, row) => {
      expect(Math.abs(p - click.pctr[row]!)).toBeLessThan(1e-6);
      expect(Math.abs(found.pcvr[row]! - conversion.pcvr[row]!)).toBeLessThan(1e-6);
    });
    expect(new Set(found.pctr).size).toBeGreaterThan(10);
  });
});

describe('the cost of a network', () => {
  const inputWidth = shape.inputWidth;
  const trunk = inputWidth * 8 + 8 * 5;

  it('counts a shared trunk once, one under two masks twice, and only connections in use as parameters', () => {
    const weights = syntheticWeights(shape, 1);
    const cross = 2 * 2 * 3;
    const dense = networkCost(shape, weights, undefined);
    expect(dense.multiplyAddsPerRow).toBe(cross + trunk + 2 * 5);
    expect(dense.parameters).toBe(trunk + 8 + 5 + 2 * (5 + 1));
    expect(networkCost(shape, weights, allOnesMasks(shape))).toEqual(dense);
    const masks = syntheticMasks(shape, 0.5);
    const used =
      TASKS.length * 0 +
      masks.click.reduce(
        (sum, layer, index) =>
          sum + layer.filter((bit, i) => bit === 1 || masks.conversion[index]![i] === 1).length,
        0,
      );
    const sparse = networkCost(shape, weights, masks);
    expect(sparse.multiplyAddsPerRow).toBe(cross + 2 * trunk + 2 * 5);
    expect(sparse.parameters).toBe(dense.parameters - trunk + used);
  });

  it('counts what tasks with embedding columns of their own compute twice', () => {
    const own = networkShape({ ...config, privateEmbeddingWidth: 1 }, layout);
    const cost = networkCost(own, syntheticWeights(own, 1), undefined);
    expect(cost.multiplyAddsPerRow).toBe(2 * (2 * 2 * 3 + trunk + 5));
    expect(cost.embeddingParameters).toBe(layout.embeddingRowCount * 4);
  });

  it('counts experts, gates and towers', () => {
    const experts = networkShape(expertsConfig(config, { shared: 2, perTask: 1, towers: [4] }), layout);
    const { multiplyAddsPerRow } = networkCost(experts, syntheticWeights(experts, 1), undefined);
    const gates = 2 * 3 * (inputWidth + 5);
    expect(multiplyAddsPerRow).toBe(2 * 2 * 3 + 4 * trunk + gates + 2 * 5 * 4 + 2 * 4);
  });
});

describe('controls', () => {
  it('random masks keep as many connections a layer, elsewhere', () => {
    const masks = syntheticMasks(shape, 0.3);
    const random = randomMasks(masks, 5);
    for (const task of TASKS) {
      masks[task].forEach((layer, index) => {
        const count = (bits: Uint8Array) => bits.reduce((sum, bit) => sum + bit, 0);
        expect(count(random[task][index]!)).toBe(count(layer));
        expect(random[task][index]).not.toEqual(layer);
      });
    }
    expect(randomMasks(masks, 5)).toEqual(random);
    expect(perTask((task) => random[task]).click).not.toEqual(random.conversion);
  });

  it('permuted conversions have the same number among the clicked rows and leave the rest alone', () => {
    const permuted = permuteConversions(set, 1);
    const clicked = [...set.click.keys()].filter((row) => set.click[row] === 1);
    const sorted = (values: Float32Array) => clicked.map((row) => values[row]!).sort();
    expect(sorted(permuted.conversion)).toEqual(sorted(set.conversion));
    expect(permuted.conversion).not.toEqual(set.conversion);
    set.click.forEach((click, row) => {
      if (click === 0) expect(permuted.conversion[row]).toBe(set.conversion[row]);
    });
  });

  it('a summary leaves out what is not there and has no deviation of one value', () => {
    expect(summarise([1, null, 3])).toEqual({ mean: 2, sd: Math.SQRT2, values: [1, null, 3] });
    expect(summarise([4])).toEqual({ mean: 4, sd: null, values: [4] });
    expect(summarise([null])).toEqual({ mean: null, sd: null, values: [null] });
  });
});
