import { describe, expect, it } from 'vitest';
import { TASKS, type Task } from '../../lib/base/tasks.ts';
import { networkConfigSchema } from '../../lib/network/networkConfig.ts';
import { type ModelWeights, type NetworkShape, networkShape } from '../../lib/network/networkShape.ts';
import { type DenseLayer, type PrunedTrunk, pruneTrunk } from '../../lib/network/pruneTrunk.ts';
import type { TaskMasks } from '../../lib/network/taskMasks.ts';
import { syntheticLayout, syntheticMasks, syntheticWeights } from '../fixtures/syntheticModel.ts';

/** Two fields of width 1 and no crosses: an input of two numbers. */
function shapeOf(network: object, singles = 2): NetworkShape {
  const layout = syntheticLayout({ singles, lists: [], numerics: 0 });
  const common = { kind: 'ncs', embeddingWidth: 1, cross: { mode: 'none' } };
  return networkShape(networkConfigSchema.parse({ ...common, ...network }), layout);
}

function weightsOf(shape: NetworkShape, parameters: Record<string, number[]>): ModelWeights {
  const given = new Map(
    Object.entries(parameters).map(([name, values]) => [name, Float32Array.from(values)]),
  );
  for (const { name, shape: dims } of shape.parameters) {
    expect(given.get(name)?.length, name).toBe(dims.reduce((size, length) => size * length, 1));
  }
  return { embeddings: new Float32Array(0), parameters: given };
}

const both = (...layers: number[][]): TaskMasks => {
  const masks = layers.map((layer) => Uint8Array.from(layer));
  return { click: masks, conversion: masks };
};

/** The logit of one input row, in double precision. */
function logitOf({ shared, own }: PrunedTrunk, task: Task, input: readonly number[]): number {
  return [...shared, ...own[task]].reduce<readonly number[]>((x, layer) => {
    expect(x).toHaveLength(layer.inputs);
    return Array.from({ length: layer.units }, (_, unit) => {
      const sum = x.reduce(
        (total, value, i) => total + value * layer.weight[i * layer.units + unit]!,
        layer.bias[unit]!,
      );
      return layer.isHead ? sum : Math.max(0, sum);
    });
  }, input)[0]!;
}

const sizes = (layers: readonly DenseLayer[]) => layers.map(({ inputs, units }) => [inputs, units]);

describe('a pruned trunk', () => {
  // Three units: the first reads and is read, the second reads nothing, the third is read by nobody.
  const shape = shapeOf({ hidden: [3] });
  const parameters = {
    'trunk.0.weight': [1, 5, 2, -1, 5, 3],
    'trunk.0.bias': [0.5, 2, 7],
    'click.head.weight': [2, 10, 0],
    'click.head.bias': [0.25],
    'conversion.head.weight': [-1, 3, 0],
    'conversion.head.bias': [-0.5],
  };
  const masks = both([1, 0, 1, 1, 0, 1]);

  it('folds a unit that reads nothing into the biases behind it as ReLU(bias), and drops one that nobody reads', () => {
    const { shared, own } = pruneTrunk(shape, weightsOf(shape, parameters), masks);
    expect(sizes(shared)).toEqual([[2, 1]]);
    expect([...shared[0]!.weight]).toEqual([1, -1]);
    expect([...shared[0]!.bias]).toEqual([0.5]);
    expect([...own.click[0]!.weight]).toEqual([2]);
    expect([...own.click[0]!.bias]).toEqual([20.25]);
    expect([...own.conversion[0]!.bias]).toEqual([5.5]);
  });

  it('takes a negative bias of a unit that reads nothing as 0', () => {
    const weights = weightsOf(shape, { ...parameters, 'trunk.0.bias': [0.5, -2, 7] });
    expect([...pruneTrunk(shape, weights, masks).own.click[0]!.bias]).toEqual([0.25]);
  });

  it('keeps a unit of a shared layer that one of the tasks reads', () => {
    const weights = weightsOf(shape, { ...parameters, 'conversion.head.weight': [0, 3, 4] });
    const { shared, own } = pruneTrunk(shape, weights, masks);
    expect(sizes(shared)).toEqual([[2, 2]]);
    expect([...own.click[0]!.weight]).toEqual([2, 0]);
    expect([...own.conversion[0]!.weight]).toEqual([0, 4]);
  });

  it('goes on through layers: a constant may make the next unit constant, a unit without readers its own readers useless', () => {
    const deep = shapeOf({ hidden: [2, 2] });
    const weights = weightsOf(deep, {
      'trunk.0.weight': [1, 1, 1, 1],
      'trunk.0.bias': [3, 0],
      'trunk.1.weight': [2, 9, 9, 4],
      'trunk.1.bias': [1, 0],
      'click.head.weight': [1, 1],
      'click.head.bias': [0],
      'conversion.head.weight': [1, 1],
      'conversion.head.bias': [0],
    });
    // Unit 0 of the first layer reads nothing, and unit 0 of the second reads it alone: 1 + 2 * 3 = 7.
    const { shared, own } = pruneTrunk(deep, weights, both([0, 1, 0, 1], [1, 0, 0, 1]));
    expect(sizes(shared)).toEqual([
      [2, 1],
      [1, 1],
    ]);
    expect([...own.click[0]!.bias]).toEqual([7]);
    const unread = weightsOf(deep, {
      ...Object.fromEntries([...weights.parameters].map(([name, values]) => [name, [...values]])),
      'click.head.weight': [0, 1],
      'conversion.head.weight': [0, 1],
    });
    // Unit 0 of the second layer is read by no head, so nobody needs unit 0 of the first.
    expect(sizes(pruneTrunk(deep, unread, both([1, 1, 1, 1], [1, 0, 0, 1])).shared)).toEqual([
      [2, 1],
      [1, 1],
    ]);
  });

  it('keeps one unit of a layer of which no score depends, and its logits', () => {
    const weights = weightsOf(shape, parameters);
    const pruned = pruneTrunk(shape, weights, both([0, 0, 0, 0, 0, 0]));
    expect(sizes(pruned.shared)).toEqual([[2, 1]]);
    // 0.25 + 2 * 0.5 + 10 * 2
    expect(logitOf(pruned, 'click', [3, 4])).toBe(21.25);
    expect(logitOf(pruned, 'conversion', [3, 4])).toBe(5);
  });

  it('shares the layers in front that both tasks mask alike, and no other', () => {
    const deep = shapeOf({ hidden: [3, 2] });
    const weights = syntheticWeights(deep);
    const ones = [Uint8Array.from(Array(6).fill(1)), Uint8Array.from(Array(6).fill(1))];
    const other = [ones[0]!, Uint8Array.of(1, 1, 1, 1, 1, 0)];
    const split = (masks?: TaskMasks, network = deep) => {
      const { shared, own } = pruneTrunk(network, weights, masks);
      return [shared.length, own.click.length, own.conversion.length];
    };
    expect(split()).toEqual([2, 1, 1]);
    expect(split({ click: ones, conversion: ones })).toEqual([2, 1, 1]);
    expect(split({ click: ones, conversion: other })).toEqual([1, 2, 2]);
    expect(split({ click: ones, conversion: [other[1]!, ones[1]!] })).toEqual([0, 3, 3]);
    // Columns of their own: nothing is computed from the same input.
    expect(
      split(undefined, shapeOf({ hidden: [3, 2], embeddingWidth: 1, privateEmbeddingWidth: 1 })),
    ).toEqual([0, 3, 3]);
  });

  it('has each pair of a full interaction once, with the sum of its two weights', () => {
    const crossed = shapeOf({ hidden: [1], cross: { mode: 'full' } });
    const weights = weightsOf(crossed, {
      // Products 00, 01, 10, 11, then the embeddings of both fields.
      'trunk.0.weight': [1, 2, 4, 8, 16, 32],
      'trunk.0.bias': [0],
      'click.head.weight': [1],
      'click.head.bias': [0],
      'conversion.head.weight': [1],
      'conversion.head.bias': [0],
    });
    expect([...pruneTrunk(crossed, weights, undefined).shared[0]!.weight]).toEqual([1, 6, 8, 16, 32]);
  });

  it.each([0.02, 0.1, 0.2])(
    'gives the logits of the whole trunk under masks of density %d, with fewer connections',
    (density) => {
      const wide = shapeOf({ hidden: [24, 12, 6], privateEmbeddingWidth: 1, embeddingWidth: 2 }, 6);
      const weights = syntheticWeights(wide);
      const masks = syntheticMasks(wide, density, 7);
      const before = [...weights.parameters].map(([name, values]) => [name, [...values]]);
      const pruned = pruneTrunk(wide, weights, masks);
      // What was trained is left as it was.
      expect([...weights.parameters].map(([name, values]) => [name, [...values]])).toEqual(before);
      const whole = (task: Task): PrunedTrunk => {
        const layers = [...wide.layerWidths.slice(1), 1].map((units, layer): DenseLayer => {
          const isHead = layer === 3;
          const name = isHead ? `${task}.head` : `trunk.${layer}`;
          const weight = weights.parameters.get(`${name}.weight`)!;
          return {
            ...{ name, units, isHead, inputs: weight.length / units },
            weight: isHead ? weight : weight.map((value, i) => value * masks[task][layer]![i]!),
            bias: weights.parameters.get(`${name}.bias`)!,
          };
        });
        return { shared: [], own: { click: layers, conversion: layers } };
      };
      for (const task of TASKS) {
        for (let row = 0; row < 20; row++) {
          const input = Array.from({ length: 12 }, (_, i) => Math.sin(row * 12 + i));
          expect(logitOf(pruned, task, input)).toBeCloseTo(logitOf(whole(task), task, input), 5);
        }
        const count = (layers: readonly DenseLayer[]) =>
          layers.reduce((sum, { weight }) => sum + weight.length, 0);
        expect(count(pruned.own[task])).toBeLessThan(count(whole(task).own[task]));
        // Every unit that is left reads something and is read.
        const layers = pruned.own[task];
        layers.slice(0, -1).forEach(({ units, weight }, i) => {
          const next = layers[i + 1]!;
          if (units === 1) return;
          for (let unit = 0; unit < units; unit++) {
            expect(weight.some((value, at) => at % units === unit && value !== 0)).toBe(true);
            expect(next.weight.subarray(unit * next.units, (unit + 1) * next.units).some(Boolean)).toBe(true);
          }
        });
      }
    },
  );
});
