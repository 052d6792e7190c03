import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findMasksAndTrain } from '../../lib/masks/findMasksAndTrain.ts';
import { maskSearchDefaults } from '../../lib/masks/maskSearchConfig.ts';
import { density } from '../../lib/masks/pruneByMagnitude.ts';
import { countConnections, layerConnections } from '../../lib/masks/trainUnderMasks.ts';
import { networkConfigSchema } from '../../lib/network/networkConfig.ts';
import { networkShape } from '../../lib/network/networkShape.ts';
import { allOnesMasks } from '../../lib/network/taskMasks.ts';
import { CheckpointStore } from '../../lib/training/checkpointStore.ts';
import { trainNetwork } from '../../lib/training/trainNetwork.ts';
import { settingsOf, syntheticLayout, syntheticRows, syntheticWeights } from '../fixtures/syntheticModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const layout = syntheticLayout({});
const shape = networkShape(
  networkConfigSchema.parse({ kind: 'ncs', embeddingWidth: 4, hidden: [12, 6] }),
  layout,
);
const rows = syntheticRows(layout, 200);
const training = {
  shape,
  settings: settingsOf({ batchRows: 20 }),
  initial: syntheticWeights(shape),
  trainingSet: rows,
  validationSet: rows,
};
const folder = temporaryFolder();

test('learned masks are trained under, recorded, told of, and taken from their checkpoint the second time', async () => {
  const lines: string[] = [];
  const find = (fingerprint: string) =>
    findMasksAndTrain(
      { ...training, checkpoints: new CheckpointStore(join(folder, 'run'), fingerprint) },
      maskSearchDefaults.learned,
      (text) => lines.push(text),
    );
  const { network, masks, record } = await find('one');
  expect((await trainNetwork(training, { masks })).best).toEqual(network.best);
  expect(record).toEqual({
    connections: countConnections(masks!),
    layers: layerConnections(masks!),
    handedOver: [0, 0],
    sharedCosines: [expect.any(Number), expect.any(Number)],
    seconds: expect.any(Number),
  });
  const [click, conversion] = [density(masks!.click).toFixed(3), density(masks!.conversion).toFixed(3)];
  const text = `masks learned in ${Number(record.seconds).toFixed(0)} s: density click ${click}, conversion ${conversion}`;
  expect(lines).toEqual([text]);
  // The time it took is another in every run that learns.
  const again = await find('one');
  expect(again).toEqual({ network, masks, record });
  expect((await find('other')).record.seconds).not.toBe(record.seconds);
});

test('of a search by pruning come the masks of the chosen round, and every round is recorded with its layers', async () => {
  // Nothing is cut, so that the rounds tie and the last is chosen.
  const config = { ...maskSearchDefaults.imp, rounds: 1, finalDensity: 1 };
  const { network, masks, record } = await findMasksAndTrain(training, config);
  expect(masks).toEqual(allOnesMasks(shape));
  const { score } = network.best;
  const round = { density: 1, layerDensities: [1, 1], auc: expect.any(Number) };
  expect(record).toMatchObject({
    click: [
      { round: 0, ...round },
      { round: 1, ...round },
    ],
    conversion: [
      { round: 0, ...round },
      { round: 1, ...round },
    ],
    candidates: [{ score }, { score }],
    chosenRound: 1,
  });
});
