import { afterEach, describe, expect, it, vi } from 'vitest';
import type { FunnelReport } from '../../lib/metrics/funnelMetrics.ts';
import { networkConfigSchema } from '../../lib/network/networkConfig.ts';
import { type ModelWeights, networkShape } from '../../lib/network/networkShape.ts';
import { allOnesMasks } from '../../lib/network/taskMasks.ts';
import { ForwardPass } from '../../lib/training/forwardPass.ts';
import { initialWeights } from '../../lib/training/modelWeights.ts';
import { TrainingStep } from '../../lib/training/trainingStep.ts';
import {
  type NetworkTraining,
  type TrainNetworkOptions,
  trainNetwork,
} from '../../lib/training/trainNetwork.ts';
import { measure } from '../../lib/training/validation.ts';
import { settingsOf, syntheticLayout, syntheticRows } from '../fixtures/syntheticModel.ts';
import type { ConfigDocument } from '../fixtures/tinyModel.ts';

const layout = syntheticLayout({ buckets: 20 });
const trainingSet = syntheticRows(layout, 600, { seed: 1 });
const validationSet = syntheticRows(layout, 400, { seed: 2 });
const NCS = { kind: 'ncs', embeddingWidth: 4, hidden: [12, 6] };

async function train(
  training: ConfigDocument = {},
  { network = NCS, ...over }: Partial<NetworkTraining> & { network?: unknown } = {},
  options: TrainNetworkOptions = {},
) {
  const shape = networkShape(networkConfigSchema.parse(network), layout);
  const settings = settingsOf({ batchRows: 50, trunk: { learningRate: 0.01 }, ...training });
  const initial = initialWeights(shape, settings, { click: 0.5, conversion: 0.3 });
  return trainNetwork({ shape, settings, initial, trainingSet, validationSet, ...over }, options);
}

async function metricsOf(weights: ModelWeights): Promise<FunnelReport> {
  const shape = networkShape(networkConfigSchema.parse(NCS), layout);
  const forward = await ForwardPass.create(shape, undefined, 1);
  const metrics = measure(await forward.predict(weights, validationSet), validationSet);
  await forward.release();
  return metrics;
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe('the seed', () => {
  it.each([
    ['an NCS network', NCS],
    ['a logistic one', 'logistic'],
  ])('decides every bit of %s', async (_title, network) => {
    const first = await train({ epochs: 2 }, { network });
    const again = await train({ epochs: 2 }, { network });
    expect(again.weights).toEqual(first.weights);
    expect(again.history).toEqual(first.history);
    const other = await train({ epochs: 2, seed: 2 }, { network });
    expect(other.weights.embeddings).not.toEqual(first.weights.embeddings);
    for (const [name, values] of first.weights.parameters) {
      expect(other.weights.parameters.get(name), name).not.toEqual(values);
    }
  });

  it('leaves the initial weights that were handed in untouched', async () => {
    const shape = networkShape(networkConfigSchema.parse(NCS), layout);
    const rates = { click: 0.5, conversion: 0.3 };
    const initial = initialWeights(shape, settingsOf(), rates);
    await train({}, { initial });
    expect(initial).toEqual(initialWeights(shape, settingsOf(), rates));
  });

  it('with masks of all ones trains bit for bit what no masks train (oracle T1)', async () => {
    const shape = networkShape(networkConfigSchema.parse(NCS), layout);
    const without = await train({ epochs: 2 });
    const withOnes = await train({ epochs: 2 }, {}, { masks: allOnesMasks(shape) });
    expect(withOnes.weights).toEqual(without.weights);
    expect(withOnes.history).toEqual(without.history);
  });
});

describe('validation', () => {
  it('comes evenly several times an epoch, the last step of each always among them', async () => {
    const steps = async (training: ConfigDocument) =>
      (await train({ ...training, patience: 1000 })).history.map(({ step }) => step);
    expect(await steps({ epochs: 2 })).toEqual([3, 6, 9, 12, 15, 18, 21, 24]);
    expect(await steps({ validationsPerEpoch: 5, batchRows: 90 })).toEqual([1, 3, 4, 6, 7]);
    expect(await steps({ validationsPerEpoch: 100, batchRows: 200 })).toEqual([1, 2, 3]);
    expect(await steps({ validationsPerEpoch: 3, batchRows: 1000 })).toEqual([1]);
  });

  it('stops the run after `patience` validations without a better one', async () => {
    // Steps too small to change a float32 weight: no validation beats the first.
    const still = { embeddings: { learningRate: 1e-30 }, trunk: { learningRate: 1e-30 } };
    for (const patience of [1, 3, 6]) {
      const { history, best } = await train({ epochs: 3, patience, ...still });
      expect(history.map(({ step }) => step)).toEqual([3, 6, 9, 12, 15, 18, 21].slice(0, patience + 1));
      expect(best).toBe(history[0]);
    }
  });

  it('chooses the checkpoint that is returned: the best one, not the last', async () => {
    // Far too long on 600 rows: the ids are memorised and validation gets worse.
    const { history, best, weights } = await train({ epochs: 12, patience: 1000 });
    expect(history).toHaveLength(48);
    expect(best.score).toBe(Math.max(...history.map(({ score }) => score)));
    expect(best.step).toBeLessThan(history.at(-1)!.step);
    expect(await metricsOf(weights)).toEqual(best.metrics);
    expect(best.score).toBeCloseTo((best.metrics.click.auc! + best.metrics.conversion.auc!) / 2, 12);
  });

  it('goes by the click AUC alone when no validation row was clicked', async () => {
    const click = validationSet.click.map((_, row) => (row === 0 ? 1 : 0));
    const { best } = await train(
      {},
      { validationSet: { ...validationSet, click, conversion: new Float32Array(400) } },
    );
    expect(best.metrics.conversion.auc).toBeNull();
    expect(best.score).toBe(best.metrics.click.auc);
  });

  it.each([
    ['no click', 0, Number.NaN],
    ['the same soft conversion for every click', 1, 0.4],
  ])(
    'is refused over rows with %s: the first checkpoint would be the best',
    async (_title, click, conversion) => {
      const rows = {
        ...validationSet,
        click: validationSet.click.map(() => click),
        conversion: validationSet.conversion.map(() => conversion),
      };
      await expect(train({}, { validationSet: rows })).rejects.toMatchObject({
        code: 'TRAINING_NO_POSITIVES',
        found: `400 rows, ${400 * click} clicks`,
      });
    },
  );

  it('reports losses as means over rows: batches without a click do not dilute the conversion loss', async () => {
    const still = {
      embeddings: { learningRate: 1e-30 },
      trunk: { learningRate: 1e-30 },
      validationsPerEpoch: 1,
    };
    const whole = await train({ ...still, batchRows: 600 });
    const single = await train({ ...still, batchRows: 1 });
    expect(single.best.losses.conversion).toBeCloseTo(whole.best.losses.conversion, 5);
    expect(single.best.losses.click).toBeCloseTo(whole.best.losses.click, 5);
  });
});

describe('further epochs', () => {
  it.each([
    [true, 2],
    [false, 0],
  ])(
    'with reinitialiseEachEpoch %s start with new embeddings %i times in three',
    async (reinitialise, times) => {
      const reset = vi.spyOn(TrainingStep.prototype, 'resetEmbeddings');
      const embeddings = { reinitialiseEachEpoch: reinitialise, initialStandardDeviation: 0.02 };
      await train({ epochs: 3, patience: 1000, embeddings });
      expect(reset).toHaveBeenCalledTimes(times);
      if (times === 0) return;
      const drawn = reset.mock.calls.map(([initialise]) => {
        const values = new Float32Array(20_000);
        initialise(values, networkShape(networkConfigSchema.parse(NCS), layout));
        return values;
      });
      expect(drawn[0]).not.toEqual(drawn[1]);
      for (const values of drawn) {
        const deviation = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
        // Its own standard error over 20,000 draws is 0.5%.
        expect(Math.abs(deviation / 0.02 - 1)).toBeLessThan(0.03);
      }
    },
  );

  /** Rows of every batch, without learning from them. */
  async function batchesOf(training: ConfigDocument, network: unknown = NCS): Promise<number[][]> {
    const batches: number[][] = [];
    vi.spyOn(TrainingStep.prototype, 'run').mockImplementation(async (_set, indices) => {
      batches.push([...indices]);
      return { click: { mean: 0, rows: 0 }, conversion: { mean: 0, rows: 0 } };
    });
    await train({ patience: 1000, ...training }, { network });
    return batches;
  }

  it('have the same batches in every network of a comparison, new embeddings or not', async () => {
    const experts = { kind: 'experts', embeddingWidth: 4, hidden: [12, 6] };
    const networks = [
      { ...NCS, privateEmbeddingWidth: 1 },
      { ...NCS, privateEmbeddingWidth: 4 },
      { ...experts, shared: 3 },
      { ...experts, shared: 0, perTask: 1, embeddings: 'perTask' },
    ];
    const training = { epochs: 3, embeddings: { reinitialiseEachEpoch: true } };
    const expected = await batchesOf(training);
    for (const network of networks) expect(await batchesOf(training, network)).toEqual(expected);
  });

  it('are as many as the training asks for, whatever the settings say', async () => {
    const one = await train({ epochs: 3, patience: 1000 }, {}, { epochs: 1 });
    expect(one.history).toEqual((await train({ epochs: 1 })).history);
    expect(one.history.map(({ epoch }) => epoch)).toEqual([0, 0, 0, 0]);
  });

  it('go through every row once each, in another order', async () => {
    const orders = await batchesOf({ epochs: 2 });
    const epochs = [orders.slice(0, 12).flat(), orders.slice(12).flat()];
    const all = Array.from({ length: 600 }, (_, row) => row);
    for (const epoch of epochs) expect([...epoch].sort((a, b) => a - b)).toEqual(all);
    expect(epochs[0]).not.toEqual(epochs[1]);
    expect(epochs[0]).not.toEqual(all);
  });
});

it("the trunk's learning rate falls from its own by equal steps within every epoch where the settings say so", async () => {
  for (const [decay, expected] of [
    ['linear', [1, 0.75, 0.5, 0.25]],
    ['none', [1, 1, 1, 1]],
  ] as const) {
    const run = vi.spyOn(TrainingStep.prototype, 'run');
    await train({ epochs: 2, patience: 1000, batchRows: 150, trunk: { decay } });
    expect(run.mock.calls.map(([, , scale]) => scale)).toEqual([...expected, ...expected]);
    run.mockRestore();
  }
});

it('progress tells rows, losses and the validations as they come', async () => {
  const rows: number[] = [];
  const validations: number[] = [];
  const { history } = await train(
    { epochs: 2, patience: 1000 },
    {
      onProgress: ({ rows: done, rowsPerSecond, secondsLeft, validation }) => {
        expect(rowsPerSecond).toBeGreaterThan(0);
        expect(secondsLeft).toBeGreaterThanOrEqual(0);
        if (validation === undefined) return;
        rows.push(done);
        validations.push(validation.step);
      },
    },
  );
  expect(validations).toEqual(history.map(({ step }) => step));
  expect(rows).toEqual([150, 300, 450, 600, 750, 900, 1050, 1200]);
});
