import { describe, expect, it, vi } from 'vitest';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { TASKS } from '../../lib/base/tasks.ts';
import { learnMasks, resolveConflicts, shareScores } from '../../lib/masks/learnMasks.ts';
import { maskSearchDefaults } from '../../lib/masks/maskSearchConfig.ts';
import { density } from '../../lib/masks/pruneByMagnitude.ts';
import { networkConfigSchema } from '../../lib/network/networkConfig.ts';
import { networkShape, trunkWeightName } from '../../lib/network/networkShape.ts';
import { allOnesMasks, layerSizes, type TaskMasks } from '../../lib/network/taskMasks.ts';
import { adamNames } from '../../lib/onnx/adam.ts';
import { float32Tensor } from '../../lib/onnx/session.ts';
import { drawNoise, expectedDensity } from '../../lib/training/hardConcrete.ts';
import { type MaskEstimator, MaskLearning } from '../../lib/training/maskLearning.ts';
import { copyWeights } from '../../lib/training/modelWeights.ts';
import { nextAgreementName, scoreName } from '../../lib/training/tensorNames.ts';
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

/** A step that learns masks from those that share every connection. */
async function learningStep(estimator: MaskEstimator, initial = options.initial) {
  const learning = new MaskLearning(shape, initial, estimator);
  const masks = allOnesMasks(shape);
  const step = await TrainingStep.create({ shape, settings: options.settings, initial, masks, learning });
  return { step, learning };
}

describe('a step with learned masks', () => {
  it('moves a score against the gradient of its mask bit, dL/dm = dL/dW W where all is kept', async () => {
    const initial = copyWeights(options.initial);
    const { settings } = options;
    const masks = allOnesMasks(shape);
    // One task at a time: the weight's gradient is then this task's alone.
    for (const task of TASKS) {
      const alone = await TrainingStep.create({ shape, settings, initial, masks, tasks: [task] });
      const { step: both, learning } = await learningStep('topD', initial);
      const clicked = Int32Array.from(trainingSet.click.keys()).filter((row) => trainingSet.click[row] === 1);
      await alone.run(trainingSet, clicked.slice());
      await both.run(trainingSet, clicked.slice());
      let compared = 0;
      layerSizes(shape).forEach((size, layer) => {
        const before = initial.parameters.get(trunkWeightName(layer))!;
        const after = alone.weights.parameters.get(trunkWeightName(layer))!;
        const scores = learning.scores[task][layer]!;
        for (let i = 0; i < size; i++) {
          // Adam's first step has the size of the learning rate and the sign of the gradient.
          const gradientSign = Math.sign(before[i]! - after[i]!);
          const scoreSign = Math.sign(Math.abs(before[i]!) - scores[i]!);
          if (gradientSign === 0 || scoreSign === 0) continue;
          expect(scoreSign, `${task} ${layer} ${i}`).toBe(gradientSign * Math.sign(before[i]!));
          compared++;
        }
      });
      expect(compared).toBeGreaterThan(200);
      await alone.release();
      await both.release();
    }
  });

  it('trains the same weights as given masks do', async () => {
    const masks = allOnesMasks(shape);
    const rows = Int32Array.from({ length: 64 }, (_, row) => row);
    const { settings, initial } = options;
    const given = await TrainingStep.create({ shape, settings, initial, masks });
    const { step: learned } = await learningStep('topD');
    for (const step of [given, learned])
      for (let i = 0; i < 5; i++) await step.run(trainingSet, rows.slice());
    expect(learned.weights.embeddings).toEqual(given.weights.embeddings);
    for (const [name, values] of given.weights.parameters) {
      expect(learned.weights.parameters.get(name), name).toEqual(values);
    }
    await given.release();
    await learned.release();
  });

  it('measures cosines in [-1, 1], -1 and 1 among the possible', async () => {
    const { step, learning } = await learningStep('topD');
    await step.run(
      trainingSet,
      Int32Array.from({ length: 64 }, (_, row) => row),
    );
    // After one step a cosine is the sign of one product.
    const first = learning.gradientCosines().flatMap((layer) => [...layer]);
    expect(first.some((cosine) => Math.abs(cosine - 1) < 1e-3)).toBe(true);
    expect(first.some((cosine) => Math.abs(cosine + 1) < 1e-3)).toBe(true);
    for (let i = 0; i < 20; i++)
      await step.run(
        trainingSet,
        Int32Array.from({ length: 16 }, (_, row) => 16 * i + row),
      );
    const later = learning.gradientCosines().flatMap((layer) => [...layer]);
    for (const cosine of later) expect(Math.abs(cosine)).toBeLessThan(1.001);
    expect(later.some((cosine) => Math.abs(cosine) < 0.5)).toBe(true);
    await step.release();
  });
});

describe('the cosine of both gradients', () => {
  /** After one step on one clicked row from equal heads; over several rows opposite labels don't give opposite gradients. */
  async function cosinesWhere(
    converted: number,
    estimator: MaskEstimator,
    prepare: (learning: MaskLearning) => void = () => {},
  ): Promise<number[]> {
    const initial = copyWeights(options.initial);
    const equal = ['weight', 'bias'].map(
      (part) => [`conversion.head.${part}`, initial.parameters.get(`click.head.${part}`)!] as const,
    );
    const parameters = new Map([...initial.parameters, ...equal]);
    const { step, learning } = await learningStep(estimator, { ...initial, parameters });
    const { rowCount } = trainingSet;
    const labels = {
      click: new Uint8Array(rowCount).fill(1),
      conversion: new Float32Array(rowCount).fill(converted),
    };
    prepare(learning);
    await step.run({ ...trainingSet, ...labels }, Int32Array.of(0));
    const cosines = learning.gradientCosines().flatMap((layer) => [...layer]);
    await step.release();
    return cosines.filter((cosine) => cosine !== 0);
  }

  it('is 1 where the tasks ask for the same, and -1 where they ask for the opposite', async () => {
    for (const [converted, expected] of [
      [1, 1],
      [0, -1],
    ] as const) {
      const cosines = await cosinesWhere(converted, 'topD');
      expect(cosines.length).toBeGreaterThan(100);
      // Of float32 moments.
      for (const cosine of cosines) expect(cosine).toBeCloseTo(expected, 3);
    }
  });

  it('is the mean product over the root of both mean squares, within [-1, 1], and 0 where a task had no gradient', () => {
    const learning = new MaskLearning(shape, options.initial, 'topD');
    const products = [3, -4.5, 7, -7, 0];
    const outputs = layerSizes(shape).map((size, layer) => {
      const tensor = (at: (i: number) => number) =>
        float32Tensor(
          Float32Array.from({ length: size }, (_, i) => at(i % 5)),
          [size],
        );
      // Mean squares of 4 and 9, whose root is 6; none for click at every fifth connection.
      const squares = { click: tensor((i) => (i === 4 ? 0 : 4)), conversion: tensor(() => 9) };
      const moments = TASKS.map((task) => {
        const names = adamNames(scoreName(task, layer));
        const nothing = tensor(() => 0);
        return {
          [names.nextParameter]: nothing,
          [names.nextFirstMoment]: nothing,
          [names.nextSecondMoment]: squares[task],
        };
      });
      return Object.assign({ [nextAgreementName(layer)]: tensor((i) => products[i]!) }, ...moments);
    });
    learning.take(Object.assign({}, ...outputs));
    for (const layer of learning.gradientCosines())
      expect([...layer.subarray(0, 5)]).toEqual([0.5, -0.75, 1, -1, 0]);
  });

  it('is that of the losses alone: a penalty on the density, alike for both, is no agreement', async () => {
    const cosines = await cosinesWhere(0, 'hardConcrete', (learning) => {
      // The same noise for both tasks, so that their masks are one.
      const { click } = drawNoise(shape, new RandomStream(0));
      expect(click.map(({ length }) => length)).toEqual(layerSizes(shape));
      learning.setNoise({ click, conversion: click });
      learning.setDensityPenalty(1);
    });
    expect(cosines.length).toBeGreaterThan(20);
    // Where a drawn mask is clipped both gradients are 0; taking the penalty off may leave a rounding.
    expect(cosines.filter((cosine) => cosine > 1e-6)).toEqual([]);
  });
});

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

  it('leave no layer empty', async () => {
    const { masks } = await learnMasks(options, { ...config, density: 0.01 });
    for (const task of TASKS)
      for (const layer of masks[task]) expect(layer.some((bit) => bit === 1)).toBe(true);
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
