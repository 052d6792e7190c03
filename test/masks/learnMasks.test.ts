import { describe, expect, it, vi } from 'vitest';
import { TASKS } from '../../lib/base/tasks.ts';
import { learnMasks, resolveConflicts, shareScores } from '../../lib/masks/learnMasks.ts';
import { maskSearchDefaults } from '../../lib/masks/maskSearchConfig.ts';
import { density } from '../../lib/masks/pruneByMagnitude.ts';
import { networkConfigSchema } from '../../lib/network/networkConfig.ts';
import { networkShape } from '../../lib/network/networkShape.ts';
import { layerSizes, type TaskMasks } from '../../lib/network/taskMasks.ts';
import { expectedDensity } from '../../lib/training/hardConcrete.ts';
import { MaskLearning } from '../../lib/training/maskLearning.ts';
import { TrainingStep } from '../../lib/training/trainingStep.ts';
import { settingsOf, syntheticLayout, syntheticRows, syntheticWeights } from '../fixtures/syntheticModel.ts';

const layout = syntheticLayout({});
const shape = networkShape(
  networkConfigSchema.parse({ kind: 'ncs', embeddingWidth: 4, hidden: [12, 6] }),
  layout,
);
const trainingSet = syntheticRows(layout, 400);
const options = {
  shape,
  settings: settingsOf({ batchRows: 16, epochs: 2 }),
  initial: syntheticWeights(shape, 1),
  trainingSet,
  validationSet: trainingSet,
};
const config = { ...maskSearchDefaults.learned, density: 0.3, epochs: 2 };

describe('learned masks', () => {
  it('have the density asked for within a connection, differ between the tasks, and follow the seed', async () => {
    const { masks } = await learnMasks(options, config);
    const size = layerSizes(shape).reduce((sum, layer) => sum + layer, 0);
    for (const task of TASKS) expect(Math.abs(density(masks[task]) - 0.3)).toBeLessThan(2 / size);
    expect(masks.click).not.toEqual(masks.conversion);
    expect((await learnMasks(options, config)).masks).toEqual(masks);
    const other = { ...options, settings: { ...options.settings, seed: 9 } };
    expect((await learnMasks(other, config)).masks).not.toEqual(masks);
  });

  it('keep a share of their own for each task when asked to', async () => {
    const densities = { click: 0.5, conversion: 0.1 };
    const { masks } = await learnMasks(options, { ...config, density: densities });
    const size = layerSizes(shape).reduce((sum, layer) => sum + layer, 0);
    for (const task of TASKS) {
      expect(Math.abs(density(masks[task]) - densities[task]), task).toBeLessThan(2 / size);
    }
  });

  it('leave no layer empty, nor below 1% of its connections where the tasks are in conflict over all of them', async () => {
    const cosines = layerSizes(shape).map((size) => new Float32Array(size).fill(-1));
    const spy = vi.spyOn(MaskLearning.prototype, 'gradientCosines').mockReturnValue(cosines);
    for (const conflictCosine of [-1, 0]) {
      const { masks } = await learnMasks(options, { ...config, density: 0.01, conflictCosine });
      for (const task of TASKS)
        for (const layer of masks[task]) expect(density([layer])).toBeGreaterThanOrEqual(0.01);
    }
    spy.mockRestore();
  });

  it('are refused when the loss or a score is lost, where they would be empty and the training under them end well', async () => {
    const rate = (learningRate: number) => ({ ...options.settings.trunk, learningRate });
    for (const estimator of ['topD', 'hardConcrete'] as const) {
      const settings = { ...options.settings, trunk: rate(1e10) };
      await expect(learnMasks({ ...options, settings }, { ...config, estimator })).rejects.toMatchObject({
        code: 'TRAINING_DIVERGED',
        message: expect.stringMatching(/the (click|conversion) loss is lost at step \d+ .*found NaN/),
      });
    }
    const lost = layerSizes(shape).map((size) => new Float32Array(size).fill(1));
    lost[1]![7] = Number.NaN;
    const spy = vi.spyOn(MaskLearning.prototype, 'scores', 'get');
    spy.mockReturnValue({ click: lost.map((layer) => layer.map(() => 1)), conversion: lost });
    await expect(learnMasks(options, config)).rejects.toMatchObject({
      code: 'TRAINING_DIVERGED',
      message: expect.stringMatching(/conversion mask can't be learned: its scores are lost .*found NaN/),
    });
    spy.mockRestore();
  });

  it('fall from all connections to their share as its power of the progress, every 32 steps, and then stay', async () => {
    const densities = { click: 0.5, conversion: 0.2 };
    const setMasks = vi.spyOn(TrainingStep.prototype, 'setMasks');
    const setNoise = vi.spyOn(MaskLearning.prototype, 'setNoise');
    const release = vi.spyOn(TrainingStep.prototype, 'release');
    // 100 steps in each of two epochs, 140 of them annealing.
    const settings = { ...options.settings, batchRows: 4 };
    await learnMasks({ ...options, settings }, { ...config, density: densities, annealing: 0.7 });
    const cuts = setMasks.mock.calls.map(([masks]) => masks);
    expect(cuts).toHaveLength(7);
    cuts.forEach((masks, cut) => {
      for (const task of TASKS) {
        const expected = densities[task] ** Math.min(1, (32 * cut) / 140);
        expect(density(masks[task]), `${task} ${cut}`).toBeCloseTo(expected, 2);
      }
    });
    expect(setNoise).not.toHaveBeenCalled();
    expect(release).toHaveBeenCalledOnce();
    vi.restoreAllMocks();
  });

  it('fall in four steps at least where the annealing has fewer steps than two cuts are apart', async () => {
    const setMasks = vi.spyOn(TrainingStep.prototype, 'setMasks');
    // 10 steps in each of two epochs, all of them annealing: a cut every five.
    const settings = { ...options.settings, batchRows: 40 };
    await learnMasks({ ...options, settings }, { ...config, density: 0.2, annealing: 1 });
    const densities = setMasks.mock.calls.map(([masks]) => density(masks.click));
    setMasks.mockRestore();
    expect(densities).toEqual([0, 0.25, 0.5, 0.75].map((progress) => expect.closeTo(0.2 ** progress, 2)));
  });

  it('come with the mean cosine over the connections that both keep, null for a layer without any', async () => {
    const sizes = layerSizes(shape);
    const cosines = sizes.map((size) =>
      Float32Array.from({ length: size }, (_, i) => ((i * 7) % 19) / 19 - 0.3),
    );
    const spy = vi.spyOn(MaskLearning.prototype, 'gradientCosines').mockReturnValue(cosines);
    const { settings } = options;
    const trunk = { ...settings.trunk, learningRate: 0.1 };
    const seen: (number | null)[] = [];
    // Where one connection of a layer is left for each task, it is the same by chance: hence several seeds.
    for (const [seed, share] of [0.3, 0.01, 0.01, 0.01, 0.01, 0.01].entries()) {
      const fast = { ...options, settings: { ...settings, seed, trunk } };
      const started = performance.now();
      const { masks, sharedCosines, seconds } = await learnMasks(fast, { ...config, density: share });
      expect(seconds).toBeGreaterThan(0);
      expect(seconds).toBeLessThan((performance.now() - started) / 1000);
      cosines.forEach((layer, index) => {
        const { click, conversion } = { click: masks.click[index]!, conversion: masks.conversion[index]! };
        const shared = layer.filter((_, i) => click[i] === 1 && conversion[i] === 1);
        const mean = shared.reduce((sum, cosine) => sum + cosine, 0) / shared.length;
        expect(sharedCosines[index]).toEqual(shared.length === 0 ? null : expect.closeTo(mean, 5));
        seen.push(sharedCosines[index]!);
      });
    }
    spy.mockRestore();
    expect(seen).toContain(null);
    expect(seen[0]).toBeTypeOf('number');
  });

  it('share fewer connections when those in conflict are handed to one task', async () => {
    const { masks, handedOver } = await learnMasks(options, { ...config, conflictCosine: -0.01 });
    const { masks: all, handedOver: none } = await learnMasks(options, config);
    const given = handedOver.reduce((sum, count) => sum + count, 0);
    expect(given).toBeGreaterThan(0);
    expect(none).toEqual([0, 0]);
    const kept = (pair: typeof masks) => density(pair.click) + density(pair.conversion);
    const size = layerSizes(shape).reduce((sum, layer) => sum + layer, 0);
    expect((kept(all) - kept(masks)) * size).toBeCloseTo(given, 6);
  });
});

describe('masks drawn from hard concrete scores', () => {
  const drawn = { ...config, estimator: 'hardConcrete' as const };
  const { settings } = options;
  const long = {
    ...options,
    settings: { ...settings, batchRows: 4, trunk: { ...settings.trunk, learningRate: 0.005 } },
  };

  it('end at the density asked for, differ between the tasks and from the straight-through ones, and follow the seed', async () => {
    const { masks } = await learnMasks(long, drawn);
    const size = layerSizes(shape).reduce((sum, layer) => sum + layer, 0);
    for (const task of TASKS) expect(Math.abs(density(masks[task]) - 0.3)).toBeLessThan(2 / size);
    expect(masks.click).not.toEqual(masks.conversion);
    expect(masks).not.toEqual((await learnMasks(long, config)).masks);
    expect((await learnMasks(long, drawn)).masks).toEqual(masks);
  });

  it('are thinned out by the penalty, on above the schedule only: their expected density falls from near 1 to the one asked for', async () => {
    const seen: number[] = [];
    const factors: number[] = [];
    const { setDensityPenalty } = MaskLearning.prototype;
    const spy = vi.spyOn(MaskLearning.prototype, 'setDensityPenalty').mockImplementation(function (
      this: MaskLearning,
      factor,
    ) {
      seen.push(expectedDensity(this.scores));
      factors.push(factor);
      return setDensityPenalty.call(this, factor);
    });
    await learnMasks(long, { ...drawn, density: { click: 0.4, conversion: 0.2 }, epochs: 6 });
    spy.mockRestore();
    // 600 steps, 420 of them annealing.
    const wanted = seen.map((_, cut) => {
      const progress = Math.min(1, (32 * cut) / 420);
      return (0.4 ** progress + 0.2 ** progress) / 2;
    });
    expect(factors).toEqual(seen.map((density, cut) => (density > wanted[cut]! ? 1 : 0)));
    expect(new Set(factors)).toEqual(new Set([0, 1]));
    expect(seen[0]).toBeGreaterThan(0.8);
    expect(seen.at(-1)).toBeLessThan(0.45);
  });
});

describe('shared scores', () => {
  const overlap = ({ click, conversion }: TaskMasks) =>
    click.reduce(
      (sum, layer, i) => sum + layer.filter((bit, j) => bit === 1 && conversion[i]![j] === 1).length,
      0,
    );

  it('are the mean of both tasks at 1, the own ones at 0, and half-way in between', () => {
    const scores = { click: [Float32Array.of(4, 0)], conversion: [Float32Array.of(0, 2)] };
    expect(shareScores(scores, 0)).toEqual(scores);
    expect(shareScores(scores, 0.5)).toEqual({
      click: [Float32Array.of(3, 0.5)],
      conversion: [Float32Array.of(1, 1.5)],
    });
    expect(shareScores(scores, 1)).toEqual({
      click: [Float32Array.of(2, 1)],
      conversion: [Float32Array.of(2, 1)],
    });
  });

  it('give one mask for both tasks at 1, and the more overlap the more they share', async () => {
    const at = async (sharing: number) => (await learnMasks(options, { ...config, sharing })).masks;
    const [own, half, all] = [await at(0), await at(0.7), await at(1)];
    expect(all.click).toEqual(all.conversion);
    expect(overlap(half)).toBeGreaterThan(overlap(own));
    expect(overlap(half)).toBeLessThan(overlap(all));
  });
});

describe('a conflict', () => {
  it('is none with -1, not even where the gradients are opposite', () => {
    const ones = () => [Uint8Array.of(1, 1)];
    const scores = [Float32Array.of(1, 1)];
    const resolved = resolveConflicts(
      { click: ones(), conversion: ones() },
      { click: scores, conversion: scores },
      [Float32Array.of(-1, -1)],
      -1,
    );
    expect(resolved).toEqual({ masks: { click: ones(), conversion: ones() }, handedOver: [0] });
  });

  it('takes a shared connection from the task with the lower score, and touches no other', () => {
    const masks = { click: [Uint8Array.of(1, 1, 1, 0)], conversion: [Uint8Array.of(1, 1, 1, 1)] };
    const before = structuredClone(masks);
    const scores = { click: [Float32Array.of(3, 1, 1, 1)], conversion: [Float32Array.of(2, 2, 2, 2)] };
    const cosines = [Float32Array.of(-0.9, -0.9, 0.9, -0.9)];
    const resolved = resolveConflicts(masks, scores, cosines, -0.5);
    expect(resolved.masks.click).toEqual([Uint8Array.of(1, 0, 1, 0)]);
    expect(resolved.masks.conversion).toEqual([Uint8Array.of(0, 1, 1, 1)]);
    expect(resolved.handedOver).toEqual([2]);
    expect(masks).toEqual(before);
  });

  it('leaves a task 1% of a layer, one connection at least, and begins where the gradients pull the hardest', () => {
    for (const [size, least] of [
      [4, 1],
      [250, 3],
    ] as const) {
      const ones = () => [new Uint8Array(size).fill(1)];
      const scores = {
        click: [new Float32Array(size).fill(2)],
        conversion: [new Float32Array(size).fill(1)],
      };
      const cosines = Float32Array.from({ length: size }, (_, i) => -1 + i / size);
      const { masks, handedOver } = resolveConflicts(
        { click: ones(), conversion: ones() },
        scores,
        [cosines.toReversed()],
        0,
      );
      expect(handedOver).toEqual([size - least]);
      expect(masks.click).toEqual(ones());
      expect(masks.conversion).toEqual([ones()[0]!.fill(0, least)]);
    }
  });

  it('needs a cosine below the limit, not at it; equal scores give the connection to clicks', () => {
    const both = () => [Uint8Array.of(1, 1)];
    const equal = () => [Float32Array.of(1, 1)];
    const { masks, handedOver } = resolveConflicts(
      { click: both(), conversion: both() },
      { click: equal(), conversion: equal() },
      [Float32Array.of(-0.5, -0.75)],
      -0.5,
    );
    expect(masks).toEqual({ click: both(), conversion: [Uint8Array.of(1, 0)] });
    expect(handedOver).toEqual([1]);
  });
});
