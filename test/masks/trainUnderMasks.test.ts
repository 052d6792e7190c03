import { beforeEach, describe, expect, test, vi } from 'vitest';
import { trainUnderMasks } from '../../lib/masks/trainUnderMasks.ts';
import { networkConfigSchema } from '../../lib/network/networkConfig.ts';
import { networkShape } from '../../lib/network/networkShape.ts';
import { trainNetwork } from '../../lib/training/trainNetwork.ts';
import type { Validation } from '../../lib/training/validation.ts';
import { settingsOf, syntheticLayout, syntheticRows, syntheticWeights } from '../fixtures/syntheticModel.ts';

// Scores of real trainings can't be chosen.
vi.mock('../../lib/training/trainNetwork.ts', () => ({ trainNetwork: vi.fn() }));

const layout = syntheticLayout({});
const shape = networkShape(
  networkConfigSchema.parse({ kind: 'ncs', embeddingWidth: 4, hidden: [12, 6] }),
  layout,
);
const weights = syntheticWeights(shape);
const rows = syntheticRows(layout, 1);
const training = {
  shape,
  settings: settingsOf({ epochs: 7 }),
  initial: weights,
  trainingSet: rows,
  validationSet: rows,
};

const trained = vi.mocked(trainNetwork);
beforeEach(() => {
  trained.mockReset();
});

/** @param jointScores of the joint training under each round's masks; a task alone always gets 0.61234 */
async function search(jointScores: readonly number[], onStage?: (text: string) => void) {
  trained.mockImplementation(async (_, { tasks, checkpointName } = {}) => {
    const score = tasks === undefined ? jointScores[Number(checkpointName!.split('-').at(-1))]! : 0.61234;
    return { weights, best: { score } as Validation, history: [], seconds: 0, rowsPerSecond: 0 };
  });
  const rounds = jointScores.length - 1;
  return trainUnderMasks(training, { method: 'imp', rounds, finalDensity: 0.25, epochs: 3 }, onStage);
}

describe('the round that is kept', () => {
  test.each([
    ['the last within 0.0005 of the best', [0.7, 0.6996, 0.6994], 1],
    ['the best, when all sparser ones fall behind', [0.7, 0.72, 0.7194], 1],
    ['the dense one, when all masks fall behind', [0.7, 0.6, 0.6], 0],
    ['measured by the best, not by the round before: a slow decline is no tie', [0.7, 0.6997, 0.6994], 1],
  ])('is %s', async (_title, scores, expected) => {
    const { chosenRound, masks, network, searches } = await search(scores);
    expect(chosenRound).toBe(expected);
    expect(network.best.score).toBe(scores[expected]);
    const { click, conversion } = searches;
    const own = { click: click[expected]!.mask, conversion: conversion[expected]!.mask };
    expect(masks).toEqual(expected === 0 ? undefined : own);
  });
});

test('every training has a checkpoint name of its own; the search takes its own epochs, the joint trainings the settings', async () => {
  await search([0.5, 0.5, 0.5]);
  const calls = trained.mock.calls.map(([, given]) => [given?.checkpointName, given?.tasks, given?.epochs]);
  const searchOf = (task: string) => [0, 1, 2].map((round) => [`search-${task}-${round}`, [task], 3]);
  expect(calls).toEqual([
    ...searchOf('click'),
    ...searchOf('conversion'),
    ...[0, 1, 2].map((round) => [`joint-${round}`, undefined, undefined]),
  ]);
});

test('the masks fall to the density asked for, and every stage says how far it is', async () => {
  const lines: string[] = [];
  const { candidates } = await search([0.71234, 0.5], (text) => lines.push(text));
  expect(candidates.map(({ density }) => density)).toEqual([1, expect.closeTo(0.25, 2)]);
  expect(lines).toEqual([
    ...['click', 'conversion'].flatMap((task) => [
      `mask search, ${task}: round 0/1, density 1.000, AUC 0.6123`,
      `mask search, ${task}: round 1/1, density ${candidates[1]!.density.toFixed(3)}, AUC 0.6123`,
    ]),
    'joint training under the masks of round 0: mean AUC 0.7123',
    'joint training under the masks of round 1: mean AUC 0.5000',
  ]);
});
