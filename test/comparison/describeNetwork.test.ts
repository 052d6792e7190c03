import { describe, expect, it } from 'vitest';
import { expertsConfig } from '../../lib/comparison/arms.ts';
import { describeNetwork } from '../../lib/comparison/describeNetwork.ts';
import { networkConfigSchema } from '../../lib/network/networkConfig.ts';
import { networkShape, trunkWeightName } from '../../lib/network/networkShape.ts';
import { allOnesMasks } from '../../lib/network/taskMasks.ts';
import {
  SYNTHETIC_NCS,
  syntheticLayout,
  syntheticMasks,
  syntheticWeights,
} from '../fixtures/syntheticModel.ts';

const layout = syntheticLayout({});
const shape = networkShape(SYNTHETIC_NCS, layout);

describe('the cost of a network', () => {
  const inputWidth = shape.inputWidth;
  const trunk = inputWidth * 8 + 8 * 5;

  it('counts a shared trunk once, one under two masks twice, and only connections in use as parameters', () => {
    const weights = syntheticWeights(shape, 1);
    const cross = 2 * 2 * 3;
    const dense = describeNetwork(shape, weights, undefined);
    expect(dense.multiplyAddsPerRow).toBe(cross + trunk + 2 * 5);
    expect(dense.parameters).toBe(trunk + 8 + 5 + 2 * (5 + 1));
    expect(dense).not.toHaveProperty('connections');
    expect(describeNetwork(shape, weights, allOnesMasks(shape))).toMatchObject(dense);
    const masks = syntheticMasks(shape, 0.5);
    const used = masks.click.reduce(
      (sum, layer, index) =>
        sum + layer.filter((bit, i) => bit === 1 || masks.conversion[index]![i] === 1).length,
      0,
    );
    const sparse = describeNetwork(shape, weights, masks);
    expect(sparse.multiplyAddsPerRow).toBe(cross + 2 * trunk + 2 * 5);
    expect(sparse.parameters).toBe(dense.parameters - trunk + used);
  });

  it('counts what tasks with embedding columns of their own compute twice', () => {
    const own = networkShape({ ...SYNTHETIC_NCS, privateEmbeddingWidth: 1 }, layout);
    const cost = describeNetwork(own, syntheticWeights(own, 1), undefined);
    expect(cost.multiplyAddsPerRow).toBe(2 * (2 * 2 * 3 + trunk + 5));
    expect(cost.embeddingParameters).toBe(layout.embeddingRowCount * 4);
  });

  it('counts experts, gates and towers', () => {
    const experts = networkShape(
      expertsConfig(SYNTHETIC_NCS, { shared: 2, perTask: 1, towers: [4] }),
      layout,
    );
    const { multiplyAddsPerRow } = describeNetwork(experts, syntheticWeights(experts, 1), undefined);
    const gates = 2 * 3 * (inputWidth + 5);
    expect(multiplyAddsPerRow).toBe(2 * 2 * 3 + 4 * trunk + gates + 2 * 5 * 4 + 2 * 4);
  });

  it('counts no gate where there is one expert to see, and the widths of every layer', () => {
    const bottom = expertsConfig({ ...SYNTHETIC_NCS, hidden: [8, 5, 4] }, { shared: 1, towers: [3, 2] });
    const experts = networkShape(bottom, layout);
    const { multiplyAddsPerRow } = describeNetwork(experts, syntheticWeights(experts, 1), undefined);
    expect(multiplyAddsPerRow).toBe(2 * 2 * 3 + (trunk + 5 * 4) + 2 * (4 * 3 + 3 * 2 + 2));
  });

  it('counts every number of a logistic baseline once per row', () => {
    const logistic = networkShape(networkConfigSchema.parse({ kind: 'logistic' }), layout);
    const { multiplyAddsPerRow } = describeNetwork(logistic, syntheticWeights(logistic, 1), undefined);
    const numbers = logistic.parameters.map(({ shape: lengths }) =>
      lengths.reduce((size, length) => size * length, 1),
    );
    expect(multiplyAddsPerRow).toBe(numbers.reduce((sum, count) => sum + count, 0));
    expect(multiplyAddsPerRow).toBeGreaterThan(0);
  });
});

describe('the parameters of a network', () => {
  it('are numbers that are not 0: what a mask has folded away is not there', () => {
    const weights = syntheticWeights(shape, 1);
    const dense = describeNetwork(shape, weights, undefined).parameters;
    const [name, values] = [...weights.parameters].find(([, { length }]) => length > 4)!;
    const folded = values.slice();
    folded.fill(0, 1, 4);
    const parameters = new Map([...weights.parameters, [name, folded]]);
    expect(describeNetwork(shape, { ...weights, parameters }, undefined).parameters).toBe(dense - 3);
  });

  it('are taken off once where a connection in no mask is 0 as well', () => {
    const weights = syntheticWeights(shape, 1);
    const masks = syntheticMasks(shape, 0.5);
    const parameters = new Map(weights.parameters);
    for (const [index, layer] of masks.click.entries()) {
      const name = trunkWeightName(index);
      const isDead = (i: number) => layer[i] === 0 && masks.conversion[index]![i] === 0;
      parameters.set(
        name,
        parameters.get(name)!.map((weight, i) => (isDead(i) ? 0 : weight)),
      );
      expect(layer.some((_, i) => isDead(i))).toBe(true);
    }
    const { parameters: count } = describeNetwork(shape, weights, masks);
    expect(describeNetwork(shape, { ...weights, parameters }, masks).parameters).toBe(count);
  });
});

describe('the connections of a network', () => {
  const bits = (...rows: number[]) =>
    Uint8Array.from({ length: shape.layerWidths[0]! * 8 }, (_, i) => rows[i] ?? 0);
  const second = new Uint8Array(8 * 5);
  const layersOf = (click: Uint8Array, conversion: Uint8Array, unrelated?: Uint8Array) =>
    describeNetwork(
      shape,
      syntheticWeights(shape, 1),
      { click: [click, second], conversion: [conversion, second] },
      unrelated && [unrelated, second],
    ).connections!;

  it('are counted by use, with the overlap of chance and of the common start beside theirs', () => {
    const size = shape.layerWidths[0]! * 8;
    const [layer] = layersOf(bits(1, 1, 1, 0, 0), bits(1, 0, 0, 1, 0), bits(1, 1, 0, 1, 1));
    const [r1, r2] = [3 / size, 2 / size];
    expect(layer).toMatchObject({ layer: 0, inputWidth: shape.layerWidths[0], outputWidth: 8 });
    expect(layer).toMatchObject({ shared: 1, clickOnly: 2, conversionOnly: 1, dead: size - 4 });
    expect(layer!.jaccard).toBe(1 / 4);
    expect(layer!.chanceJaccard).toBeCloseTo((r1 * r2) / (r1 + r2 - r1 * r2), 14);
    expect(layer!.unrelatedJaccard).toBe(2 / 5);
  });

  it('of masks of one density overlap by chance as two of any density do', () => {
    const size = shape.layerWidths[0]! * 8;
    const [layer] = layersOf(bits(1, 1, 0), bits(0, 1, 1));
    expect(layer!.chanceJaccard).toBeCloseTo((2 / size) ** 2 / (4 / size - (2 / size) ** 2), 14);
  });

  it('of two empty masks overlap wholly; without an unrelated mask there is nothing to set beside', () => {
    const [, empty] = layersOf(bits(1), bits(1));
    expect(empty).toEqual({
      ...{ layer: 1, inputWidth: 8, outputWidth: 5, shared: 0, clickOnly: 0, conversionOnly: 0, dead: 40 },
      ...{ jaccard: 1, chanceJaccard: 1, unrelatedJaccard: null },
    });
  });
});
