import { describe, expect, it } from 'vitest';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { TASKS } from '../../lib/base/tasks.ts';
import { networkConfigSchema } from '../../lib/network/networkConfig.ts';
import { networkShape, trunkWeightName } from '../../lib/network/networkShape.ts';
import { allOnesMasks, layerSizes } from '../../lib/network/taskMasks.ts';
import { adamNames } from '../../lib/onnx/adam.ts';
import { float32Tensor } from '../../lib/onnx/session.ts';
import { drawNoise } from '../../lib/training/hardConcrete.ts';
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
