import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { findArmMasks, unrelatedMask } from '../../lib/comparison/armMasks.ts';
import { ARMS, settingsOfArm } from '../../lib/comparison/arms.ts';
import { describeNetwork } from '../../lib/comparison/describeNetwork.ts';
import { trainArm } from '../../lib/comparison/trainArm.ts';
import { trainSeparately } from '../../lib/comparison/trainSeparately.ts';
import { networkShape } from '../../lib/network/networkShape.ts';
import type { TrainingData } from '../../lib/recipe/encodeData.ts';
import { initialWeights } from '../../lib/training/modelWeights.ts';
import { trainNetwork } from '../../lib/training/trainNetwork.ts';
import type { Validation } from '../../lib/training/validation.ts';
import {
  SYNTHETIC_NCS,
  syntheticLayout,
  syntheticMasks,
  syntheticRows,
  syntheticWeights,
} from '../fixtures/syntheticModel.ts';
import { tinyConfig } from '../fixtures/tinyModel.ts';

// What an arm is trained from and with: trainings themselves have tests of their own.
vi.mock('../../lib/training/trainNetwork.ts', () => ({ trainNetwork: vi.fn() }));
vi.mock('../../lib/comparison/trainSeparately.ts', () => ({ trainSeparately: vi.fn() }));
vi.mock('../../lib/comparison/armMasks.ts', () => ({ findArmMasks: vi.fn(), unrelatedMask: vi.fn() }));

const layout = syntheticLayout({});
const ncs = { ...SYNTHETIC_NCS, privateEmbeddingWidth: 1 };
const config = {
  ...tinyConfig({ training: { seed: 99 }, arms: { mmoe: { epochs: 4 }, 'random-masks': { epochs: 6 } } }),
  network: ncs,
};
const data = {
  layout,
  rates: { click: 0.4, conversion: 0.2 },
  trainingSet: syntheticRows(layout, 20, { seed: 1 }),
  validationSet: syntheticRows(layout, 10, { seed: 2 }),
} as unknown as TrainingData;
const shapeOf = (name: string) => networkShape(ARMS[name]!.network?.(ncs) ?? ncs, layout);
const optionsOf = (name: string, settingsOwner: string, seed: number) => {
  const settings = { ...settingsOfArm(settingsOwner, config), seed };
  const initial = initialWeights(shapeOf(name), settings, data.rates);
  const { trainingSet, validationSet } = data;
  return { shape: shapeOf(name), settings, initial, trainingSet, validationSet };
};

let clockMillis: number;
const train = vi.mocked(trainNetwork);
const findMasks = vi.mocked(findArmMasks);
const findUnrelated = vi.mocked(unrelatedMask);
const separately = vi.mocked(trainSeparately);
const networkOf = (name: string, score: number) => {
  const metrics = { click: { auc: score + 0.1 }, conversion: { auc: score - 0.1 } };
  const best = { step: 8, epoch: 1, metrics, score } as unknown as Validation;
  const early = { ...best, step: 4, epoch: 0, metrics: { ...metrics, conversion: { auc: null } } };
  return {
    ...{ weights: syntheticWeights(shapeOf(name), 5), best, seconds: 77, rowsPerSecond: 1 },
    history: [early as unknown as Validation, best],
  };
};
const curve = (score: number) => [
  { step: 4, epoch: 0, clickAuc: score + 0.1, conversionAuc: null },
  { step: 8, epoch: 1, clickAuc: score + 0.1, conversionAuc: score - 0.1 },
];

beforeEach(() => {
  vi.resetAllMocks();
  clockMillis = 1000;
  vi.spyOn(performance, 'now').mockImplementation(() => clockMillis);
});
afterEach(() => vi.restoreAllMocks());

/** Trains an arm whose trainings and searches take the seconds that are given. */
function trainWith(name: string, { seed = 7, ownNetwork = false } = {}) {
  const masks = syntheticMasks(shapeOf('ncs'), 0.5, 1);
  const unrelated = syntheticMasks(shapeOf('ncs'), 0.5, 2).click;
  const found = networkOf(name, 0.8);
  train.mockImplementation(async () => {
    clockMillis += 2000;
    return networkOf(name, 0.7);
  });
  findMasks.mockImplementation(async () => {
    clockMillis += 500;
    return ownNetwork ? { masks, network: found } : { masks };
  });
  findUnrelated.mockImplementation(async () => {
    clockMillis += 60_000;
    return unrelated;
  });
  return { masks, unrelated, trained: trainArm(name, config, data, seed) };
}

describe('an arm without masks', () => {
  it.each(['mmoe', 'private-columns', 'shared-bottom'])(
    'is its network trained once, with its own settings and the seed of the run: %s',
    async (name) => {
      const trained = await trainWith(name).trained;
      const options = optionsOf(name, name, 7);
      expect(train).toHaveBeenCalledExactlyOnceWith(options, { masks: undefined });
      for (const other of [findMasks, findUnrelated, separately]) expect(other).not.toHaveBeenCalled();
      const { weights } = networkOf(name, 0.7);
      expect(trained).toEqual({
        ...{ settings: options.settings, shape: options.shape, weights, masks: undefined },
        ...{ validationScore: 0.7, curve: curve(0.7), seconds: 2 },
        description: describeNetwork(options.shape, weights, undefined),
      });
      expect(trained.description).not.toHaveProperty('connections');
      expect(trained.settings.epochs).toBe(name === 'mmoe' ? 4 : config.training.epochs);
    },
  );

  it('starts elsewhere with another seed', async () => {
    await trainWith('mmoe', { seed: 8 }).trained;
    const { initial, settings } = train.mock.calls[0]![0];
    expect(settings.seed).toBe(8);
    expect(initial).toEqual(optionsOf('mmoe', 'mmoe', 8).initial);
    expect(initial.embeddings).not.toEqual(optionsOf('mmoe', 'mmoe', 7).initial.embeddings);
  });
});

describe('an arm with masks', () => {
  it('trains under those that are found for it, and shows beside them what the common start explains', async () => {
    const { masks, unrelated, trained } = trainWith('ncs');
    const { seconds, description, ...found } = await trained;
    const options = optionsOf('ncs', 'ncs', 7);
    expect(findMasks).toHaveBeenCalledExactlyOnceWith(ARMS.ncs, config, options, expect.any(Function));
    expect(train).toHaveBeenCalledExactlyOnceWith(options, { masks });
    expect(found.masks).toBe(masks);
    expect(findUnrelated).toHaveBeenCalledExactlyOnceWith(ARMS.ncs, config, options);
    expect(description).toEqual(describeNetwork(options.shape, found.weights, masks, unrelated));
    // Of the search and the training; what the overlap is compared with is no part of the arm.
    expect(seconds).toBe(2.5);
  });

  it("finds random ones from the reference's settings, with the seed of the run", async () => {
    const { masks, trained } = trainWith('random-masks');
    const { description, weights, shape } = await trained;
    const [, , options, otherOptions] = findMasks.mock.calls[0]!;
    expect(options).toEqual(optionsOf('random-masks', 'random-masks', 7));
    expect(otherOptions('ncs')).toEqual(optionsOf('random-masks', 'ncs', 7));
    expect(otherOptions('ncs').settings.epochs).not.toBe(options.settings.epochs);
    expect(findUnrelated).not.toHaveBeenCalled();
    expect(description).toEqual(describeNetwork(shape, weights, masks));
  });

  it('is not trained again where the search has trained it already', async () => {
    const { masks, trained } = trainWith('ncs-imp', { ownNetwork: true });
    const found = await trained;
    expect(train).not.toHaveBeenCalled();
    expect(findUnrelated).not.toHaveBeenCalled();
    expect(found).toMatchObject({ masks, validationScore: 0.8, curve: curve(0.8), seconds: 0.5 });
    expect(found.weights).toEqual(networkOf('ncs-imp', 0.8).weights);
  });
});

describe('an arm of two models', () => {
  it.each([
    ['single-task', 'dense'],
    ['single-task-ticket', 'ownTicket'],
  ] as const)('is trained apart, as one network without masks: %s', async (name, kind) => {
    const shape = shapeOf('separate-mlps');
    const weights = syntheticWeights(shape, 3);
    separately.mockImplementation(async () => {
      clockMillis += 4000;
      return { shape, weights, validationScore: 0.6, curve: [] };
    });
    const trained = await trainWith(name).trained;
    const options = optionsOf(name, name, 7);
    expect(separately).toHaveBeenCalledExactlyOnceWith(kind, config, options);
    expect(train).not.toHaveBeenCalled();
    expect(trained).toEqual({
      ...{ settings: options.settings, shape, weights, masks: undefined, curve: [], validationScore: 0.6 },
      ...{ seconds: 4, description: describeNetwork(shape, weights, undefined) },
    });
  });
});
