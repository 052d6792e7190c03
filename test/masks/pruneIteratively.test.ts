import { describe, expect, test } from 'vitest';
import { pruneByMagnitude } from '../../lib/masks/pruneByMagnitude.ts';
import { type MaskRound, pruneIteratively } from '../../lib/masks/pruneIteratively.ts';
import { countConnections, trainUnderMasks } from '../../lib/masks/trainUnderMasks.ts';
import { networkConfigSchema } from '../../lib/network/networkConfig.ts';
import { networkShape, trunkWeightName } from '../../lib/network/networkShape.ts';
import { layerSizes } from '../../lib/network/taskMasks.ts';
import { copyWeights, initialWeights } from '../../lib/training/modelWeights.ts';
import { TrainingStep } from '../../lib/training/trainingStep.ts';
import { trainNetwork } from '../../lib/training/trainNetwork.ts';
import {
  settingsOf,
  syntheticLayout,
  syntheticMasks,
  syntheticRows,
  syntheticWeights,
} from '../fixtures/syntheticModel.ts';

const layout = syntheticLayout({ buckets: 20 });
const shape = networkShape(
  networkConfigSchema.parse({ kind: 'ncs', embeddingWidth: 4, hidden: [12, 6] }),
  layout,
);
const settings = settingsOf({ batchRows: 50, trunk: { learningRate: 0.01 } });
const options = {
  shape,
  layout,
  settings,
  initial: initialWeights(shape, settings, { click: 0.5, conversion: 0.3 }),
  trainingSet: syntheticRows(layout, 600, { seed: 1 }),
  validationSet: syntheticRows(layout, 400, { seed: 2 }),
};
const connections = layerSizes(shape).reduce((sum, size) => sum + size, 0);

/** Compared as integers, so that -0 differs from 0 and NaN equals itself. */
const bits = (values: Float32Array) => [...new Uint32Array(values.slice().buffer)];

describe('a mask search', () => {
  test('gives T + 1 nested masks whose densities are r^(k / T) within a connection a round (oracles T4, T5)', async () => {
    const rounds = await pruneIteratively(options, {
      tasks: ['click'],
      rounds: 4,
      finalDensity: 0.2,
      epochs: settings.epochs,
    });
    expect(rounds.map(({ round }) => round)).toEqual([0, 1, 2, 3, 4]);
    rounds.forEach(({ round, mask, density, layerDensities }) => {
      expect(Math.abs(density - 0.2 ** (round / 4))).toBeLessThanOrEqual((round + 1) / connections);
      const shares = mask.map((layer) => layer.reduce((sum, bit) => sum + bit, 0) / layer.length);
      expect(layerDensities).toEqual(shares);
      const before = (rounds[round - 1] ?? rounds[0]!).mask;
      mask.forEach((layer, index) => {
        expect(layer.every((bit, i) => bit <= before[index]![i]!)).toBe(true);
      });
    });
  });

  test('rewinds everything: a round ends as a training of its own from the initial weights would, by whose best weights the next mask is cut (oracle T6)', async () => {
    const kept = copyWeights(options.initial);
    const rounds = await pruneIteratively(options, {
      tasks: ['conversion'],
      rounds: 2,
      finalDensity: 0.3,
      epochs: settings.epochs,
    });
    expect(bits(options.initial.embeddings)).toEqual(bits(kept.embeddings));
    for (const { round, mask, validation } of rounds) {
      const masks = { click: mask, conversion: mask };
      const alone = await trainNetwork(options, { tasks: ['conversion'], masks });
      expect(alone.best).toEqual(validation);
      const trunk = mask.map((_, layer) => alone.weights.parameters.get(trunkWeightName(layer))!);
      const next = pruneByMagnitude(trunk, mask, 1 - Math.sqrt(0.3));
      if (round < 2) expect(rounds[round + 1]!.mask).toEqual(next);
    }
  });

  test('of one task leaves the other head alone and is judged by that task only', async () => {
    const { weights, best } = await trainNetwork(options, { tasks: ['conversion'] });
    expect(bits(weights.parameters.get('click.head.weight')!)).toEqual(
      bits(options.initial.parameters.get('click.head.weight')!),
    );
    expect(best.score).toBe(best.metrics.conversion.auc);
  });
});

describe('alternating steps under masks', () => {
  test("leave the conversion's own weights bit-identical in any number of click steps, momentum or not (oracle T2)", async () => {
    const masks = syntheticMasks(shape, 0.5);
    const steps = settingsOf({ batchRows: 50, steps: 'alternating', trunk: { learningRate: 0.01 } });
    const step = await TrainingStep.create({ shape, settings: steps, initial: options.initial, masks });
    const rowsWith = (click: number) =>
      Int32Array.from(
        [...options.trainingSet.click.keys()].filter((row) => options.trainingSet.click[row] === click),
      ).slice(0, 50);
    // Gives the conversion's weights momentum, which a later click step would carry on if they weren't held.
    await step.run(options.trainingSet, rowsWith(1));
    const before = copyWeights(step.weights);
    for (let i = 0; i < 5; i++) await step.run(options.trainingSet, rowsWith(0));
    const after = copyWeights(step.weights);
    await step.release();

    let held = 0;
    let moved = 0;
    layerSizes(shape).forEach((size, layer) => {
      const name = `trunk.${layer}.weight`;
      const start = bits(options.initial.parameters.get(name)!);
      const old = bits(before.parameters.get(name)!);
      const now = bits(after.parameters.get(name)!);
      for (let i = 0; i < size; i++) {
        if (masks.click[layer]![i] === 1) moved += now[i] === old[i] ? 0 : 1;
        else {
          expect(now[i]).toBe(old[i]);
          // Counts only weights that the conversion step did move.
          if (old[i] !== start[i]) held++;
        }
      }
    });
    expect(held).toBeGreaterThan(connections / 10);
    expect(moved).toBeGreaterThan(connections / 4);
  });
});

describe('alternating steps on embeddings with private columns', () => {
  test("leave the other task's columns bit-identical, though Adam has momentum there", async () => {
    const own = networkShape(
      networkConfigSchema.parse({
        kind: 'ncs',
        embeddingWidth: 4,
        privateEmbeddingWidth: 1,
        hidden: [12, 6],
      }),
      layout,
    );
    const training = { batchRows: 50, steps: 'alternating', embeddings: { optimiser: 'adam' } };
    const step = await TrainingStep.create({
      shape: own,
      settings: settingsOf(training),
      initial: syntheticWeights(own),
    });
    const clickedRows = Int32Array.from(options.trainingSet.click.keys()).filter(
      (row) => options.trainingSet.click[row] === 1,
    );
    await step.run(options.trainingSet, clickedRows);
    const before = step.weights.embeddings.slice();
    // The same rows, called unclicked: a click step alone.
    const unclicked = { ...options.trainingSet, click: new Uint8Array(options.trainingSet.rowCount) };
    for (let i = 0; i < 3; i++) await step.run(unclicked, clickedRows);
    const after = step.weights.embeddings;
    const moved = [0, 0, 0, 0, 0];
    after.forEach((value, i) => {
      moved[i % 5]! += value === before[i] ? 0 : 1;
    });
    await step.release();
    for (const column of [0, 1, 2, 3]) expect(moved[column], `column ${column}`).toBeGreaterThan(10);
    expect(moved[4]).toBe(0);
  });
});

describe('training with a mask search', () => {
  test('starts every joint training from the same weights and keeps the best round, the sparser within 0.0005', async () => {
    const lines: string[] = [];
    const search = { method: 'imp', rounds: 2, finalDensity: 0.3, epochs: 1 } as const;
    const { network, masks, candidates, chosenRound, searches } = await trainUnderMasks(
      options,
      search,
      (text) => {
        lines.push(text);
      },
    );
    expect(candidates.map(({ round }) => round)).toEqual([0, 1, 2]);
    const best = Math.max(...candidates.map(({ score }) => score));
    const acceptable = candidates.filter(({ score }) => score >= best - 0.0005);
    expect(chosenRound).toBe(acceptable.at(-1)!.round);
    expect(network.best.score).toBe(candidates[chosenRound]!.score);
    const maskOf = (rounds: readonly MaskRound[]) => rounds[chosenRound]!.mask;
    const expected = { click: maskOf(searches.click), conversion: maskOf(searches.conversion) };
    expect(masks).toEqual(chosenRound === 0 ? undefined : expected);
    const alone = await trainNetwork(options, { masks: expected });
    expect(alone.best).toEqual(network.best);
    expect(lines).toHaveLength(2 * 3 + 3);
  });

  test('counts connections by who keeps them', () => {
    const masks = {
      click: [Uint8Array.of(1, 1, 0, 0, 1, 0, 0)],
      conversion: [Uint8Array.of(1, 0, 1, 0, 1, 0, 0)],
    };
    expect(countConnections(masks)).toEqual({ shared: 2, clickOnly: 1, conversionOnly: 1, dead: 3 });
  });
});
