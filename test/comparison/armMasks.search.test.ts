import { beforeEach, describe, expect, it, vi } from 'vitest';
import { TASKS } from '../../lib/base/tasks.ts';
import {
  findArmMasks,
  ownTicket,
  permuteConversions,
  randomMasks,
  unrelatedMask,
} from '../../lib/comparison/armMasks.ts';
import { ARMS } from '../../lib/comparison/arms.ts';
import { learnMasks } from '../../lib/masks/learnMasks.ts';
import { maskSearchDefaults } from '../../lib/masks/maskSearchConfig.ts';
import { density } from '../../lib/masks/pruneByMagnitude.ts';
import { networkShape } from '../../lib/network/networkShape.ts';
import { layerSizes } from '../../lib/network/taskMasks.ts';
import { trainNetwork } from '../../lib/training/trainNetwork.ts';
import type { Validation } from '../../lib/training/validation.ts';
import {
  SYNTHETIC_NCS,
  settingsOf,
  syntheticLayout,
  syntheticMasks,
  syntheticRows,
  syntheticWeights,
} from '../fixtures/syntheticModel.ts';
import { type ConfigDocument, tinyConfig } from '../fixtures/tinyModel.ts';

// Scores of real trainings can't be chosen.
vi.mock('../../lib/training/trainNetwork.ts', () => ({ trainNetwork: vi.fn() }));
vi.mock('../../lib/masks/learnMasks.ts', async (original) => ({
  ...(await original<typeof import('../../lib/masks/learnMasks.ts')>()),
  learnMasks: vi.fn(),
}));

const layout = syntheticLayout({});
const shape = networkShape(SYNTHETIC_NCS, layout);
const weights = syntheticWeights(shape);
const rows = syntheticRows(layout, 1);
const training = {
  shape,
  settings: settingsOf({ epochs: 7 }),
  initial: weights,
  trainingSet: rows,
  validationSet: rows,
};
const connections = layerSizes(shape).reduce((sum, size) => sum + size, 0);
const pruning = (over: ConfigDocument) =>
  tinyConfig({ masks: { method: 'imp', finalDensity: 0.2, ...over } });

const trained = vi.mocked(trainNetwork);
const learnedMasks = syntheticMasks(shape, 0.4);
const learning = vi.mocked(learnMasks);
beforeEach(() => {
  trained.mockReset();
  learning.mockReset();
  learning.mockResolvedValue({ masks: learnedMasks, handedOver: [], sharedCosines: [], seconds: 0 });
});

/** @param scores of the rounds of every search @param jointScores of the joint trainings, where there are any */
function trainingsScore(scores: readonly number[], jointScores: readonly number[] = []): void {
  trained.mockImplementation(async (_, { checkpointName } = {}) => {
    const round = Number(checkpointName!.split('-').at(-1));
    const score = (checkpointName!.startsWith('joint') ? jointScores : scores)[round]!;
    return { weights, best: { score } as Validation, history: [], seconds: 0, rowsPerSecond: 0 };
  });
}

/** What every training so far was told of its tasks and epochs. */
const told = () => trained.mock.calls.map(([, given]) => ({ tasks: given!.tasks, epochs: given!.epochs }));
const maskOfCall = (call: number) => trained.mock.calls[call]![1]!.masks!;

describe('the ticket of a task alone', () => {
  it.each([
    ['the best', [0.6, 0.6, 0.7, 0.62, 0.65], 2],
    ['the sparsest within 0.0005 of the best', [0.6, 0.7, 0.7, 0.6996, 0.6994], 3],
    ['the sparsest, 0.0005 below the best and not more', [0.6, 0.75, 0.75 - 0.0005, 0.6, 0.6], 2],
    ['the first pruned one, when all sparser ones fall behind', [0.6, 0.7, 0.65, 0.6, 0.61], 1],
    ['a pruned one, however much better the dense network does', [0.9, 0.6, 0.7, 0.65, 0.5], 2],
    ['the last, when it is the best', [0.6, 0.6, 0.6, 0.6, 0.7], 4],
  ])('is the mask of %s', async (_title, scores, expected) => {
    trainingsScore(scores);
    const ticket = await ownTicket('conversion', pruning({ rounds: 4 }), training);
    expect(ticket).toBe(maskOfCall(expected).conversion);
    expect(ticket).not.toEqual(maskOfCall(expected - 1).conversion);
  });

  it("is searched on that task, in the rounds and epochs of the config's pruning", async () => {
    trainingsScore([0.6, 0.6, 0.6, 0.6]);
    const ticket = await ownTicket('click', pruning({ rounds: 3, epochs: 5 }), training);
    expect(told()).toEqual(Array(4).fill({ tasks: ['click'], epochs: 5 }));
    expect(Math.abs(density(ticket) - 0.2)).toBeLessThanOrEqual(4 / connections);
  });

  it('is searched by the defaults of pruning under a config that learns its masks', async () => {
    trainingsScore([0.6, 0.6, 0.6, 0.6, 0.6]);
    const learned = tinyConfig({ masks: { method: 'learned', density: 0.7, epochs: 6 } });
    const ticket = await ownTicket('click', learned, training);
    expect(told()).toEqual(Array(5).fill({ tasks: ['click'], epochs: 1 }));
    expect(Math.abs(density(ticket) - 0.2)).toBeLessThanOrEqual(5 / connections);
  });
});

describe('the masks of an arm that prunes', () => {
  const masksOf = (name: string, config = pruning({ rounds: 3, epochs: 5 })) =>
    findArmMasks(ARMS[name]!, config, training, () => {
      throw new Error('no other arm has a say');
    });

  it("are for joint-ticket the last round of one search for both tasks, at the density of the reference's conversions", async () => {
    // The last round counts although its score is the worst.
    trainingsScore([0.7, 0.7, 0.6, 0.5]);
    const { masks, network } = await masksOf('joint-ticket');
    expect(network).toBeUndefined();
    expect(told()).toEqual(Array(4).fill({ tasks: TASKS, epochs: 5 }));
    expect(masks.click).toBe(maskOfCall(3).click);
    expect(masks.conversion).toBe(masks.click);
    // What masks are learned at where nothing else is said.
    expect(Math.abs(density(masks.click) - 0.3)).toBeLessThanOrEqual(4 / connections);
  });

  it("keep for joint-ticket the density that the config gives to the conversions' learned mask", async () => {
    trainingsScore([0.7, 0.7, 0.7, 0.7, 0.7]);
    const learned = { method: 'learned', density: { click: 0.8, conversion: 0.15 } };
    const { masks } = await masksOf('joint-ticket', tinyConfig({ masks: learned }));
    expect(Math.abs(density(masks.click) - 0.15)).toBeLessThanOrEqual(5 / connections);
  });

  it('are for ncs-imp those of the round that is chosen jointly, with the network trained under them', async () => {
    trainingsScore([0.6, 0.6, 0.6, 0.6], [0.6, 0.6, 0.8, 0.7]);
    const { masks, network } = await masksOf('ncs-imp');
    expect(network!.best.score).toBe(0.8);
    for (const task of TASKS) {
      expect(Math.abs(density(masks[task]) - 0.2 ** (2 / 3))).toBeLessThanOrEqual(3 / connections);
    }
    expect(told().filter(({ tasks }) => tasks === undefined)).toHaveLength(4);
  });

  it('hold every connection for ncs-imp when the dense network is best', async () => {
    trainingsScore([0.6, 0.6, 0.6, 0.6], [0.8, 0.6, 0.6, 0.7]);
    const { masks, network } = await masksOf('ncs-imp');
    expect(network!.best.score).toBe(0.8);
    for (const task of TASKS) {
      expect(masks[task].map((layer) => [layer.length, density([layer])])).toEqual(
        layerSizes(shape).map((size) => [size, 1]),
      );
    }
  });
});

describe('the masks of an arm that learns them', () => {
  const ncs = settingsOf({ seed: 5, trunk: { gain: 4 } });
  const masksOf = (name: string, config = tinyConfig()) =>
    findArmMasks(ARMS[name]!, config, training, (owner) => {
      expect(owner).toBe('ncs');
      return { ...training, settings: ncs };
    });
  const own = tinyConfig({ masks: { method: 'learned', density: 0.25, epochs: 3 } });
  const ownMasks = { ...maskSearchDefaults.learned, density: 0.25, epochs: 3 };

  it("are learned from its own training by the config's learning, or by the defaults where the config prunes", async () => {
    expect((await masksOf('ncs', own)).masks).toBe(learnedMasks);
    expect(learning).toHaveBeenLastCalledWith(training, ownMasks);
    for (const config of [tinyConfig(), pruning({})]) {
      await masksOf('ncs', config);
      expect(learning).toHaveBeenLastCalledWith(training, maskSearchDefaults.learned);
    }
    expect(trained).not.toHaveBeenCalled();
  });

  it('are learned with what makes the arm another', async () => {
    await masksOf('ncs-conflict', own);
    expect(learning).toHaveBeenLastCalledWith(training, { ...ownMasks, conflictCosine: -0.1 });
  });

  it("are, where random, those that the reference learns with its own settings, dealt out by the arm's seed", async () => {
    const { masks } = await masksOf('random-masks', own);
    expect(learning).toHaveBeenCalledExactlyOnceWith({ ...training, settings: ncs }, ownMasks);
    expect(masks).not.toEqual(learnedMasks);
    expect(masks).toEqual(randomMasks(learnedMasks, training.settings.seed + 2 ** 22));
  });

  it('are compared with a conversion mask that is learned in the same way from conversions dealt out at random', async () => {
    const many = { ...training, trainingSet: syntheticRows(layout, 60) };
    expect(await unrelatedMask(ARMS['ncs-conflict']!, own, many)).toBe(learnedMasks.conversion);
    const dealt = permuteConversions(many.trainingSet, training.settings.seed + 2 ** 22);
    expect(dealt.conversion).not.toEqual(many.trainingSet.conversion);
    expect(learning).toHaveBeenCalledExactlyOnceWith(
      { ...many, trainingSet: dealt },
      { ...ownMasks, conflictCosine: -0.1 },
    );
  });
});
