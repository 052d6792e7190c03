import { createHash } from 'node:crypto';
import { CODE_VERSION } from '../base/codeVersion.ts';
import { TASKS } from '../base/tasks.ts';
import { loadBundle, type ModelBundle } from '../bundle/loadBundle.ts';
import { refuseExisting, refuseUnwritable } from '../bundle/writeBundle.ts';
import { findMasksAndTrain } from '../masks/findMasksAndTrain.ts';
import { networkShape } from '../network/networkShape.ts';
import type { TaskMasks } from '../network/taskMasks.ts';
import { storageFor } from '../storage/openStorage.ts';
import { joinUri } from '../storage/uri.ts';
import { CheckpointStore } from '../training/checkpointStore.ts';
import { initialWeights } from '../training/modelWeights.ts';
import { type TrainedNetwork, type TrainingProgress, trainNetwork } from '../training/trainNetwork.ts';
import { exportBundle } from './exportBundle.ts';
import { prepareTraining } from './prepareTraining.ts';
import { type DataSplit, splitShards } from './splitShards.ts';
import type { TrainingConfig } from './trainingConfig.ts';

type TrainingStage = 'fitting' | 'encoding' | 'training' | 'writing';

export interface TrainModelOptions {
  readonly onStage?: (stage: TrainingStage) => void;
  readonly onProgress?: (progress: TrainingProgress) => void;
  /** A line for every step of a mask search. */
  readonly onSearch?: (text: string) => void;
  /** Given masks, when the config asks for no search; every connection shared by default. */
  readonly masks?: TaskMasks;
}

export interface TrainedModel {
  readonly bundle: ModelBundle;
  readonly network: TrainedNetwork;
  /** Found or given; undefined when every connection is shared. */
  readonly masks: TaskMasks | undefined;
}

/** Folder of the checkpoints within the output; hidden, and gone when the bundle is there. */
const CHECKPOINTS = '.checkpoints';

/**
 * The whole training path: split the shards, fit the contract on the training part, encode both parts, find the masks
 * if the config asks for them, train, and write a bundle, which is then loaded and verified as scoring would. A run
 * that was killed goes on after its last whole epoch, search round included, when it is called again with the same arguments.
 */
export async function trainModel(
  config: TrainingConfig,
  dataUri: string,
  outputUri: string,
  { onStage, onProgress, onSearch, masks: givenMasks }: TrainModelOptions = {},
): Promise<TrainedModel> {
  const startMillis = performance.now();
  await refuseExisting(outputUri);
  const split = await splitShards(dataUri, config.split);
  await refuseUnwritable(outputUri);
  const data = await prepareTraining(config, dataUri, split, onStage);
  const { layout, trainingSet, validationSet } = data;

  onStage?.('training');
  const checkpoints = new CheckpointStore(
    joinUri(outputUri, CHECKPOINTS),
    runFingerprint(config, split, givenMasks),
  );
  const shape = networkShape(config.network, layout);
  const options = {
    shape,
    layout,
    settings: config.training,
    initial: initialWeights(shape, layout, config.training, data.rates),
    trainingSet,
    validationSet,
    checkpoints,
    ...(onProgress === undefined ? {} : { onProgress }),
  };
  const searched =
    config.masks === undefined ? undefined : await findMasksAndTrain(options, config.masks, onSearch);
  const masks = searched === undefined ? givenMasks : searched.masks;
  const network = searched?.network ?? (await trainNetwork({ ...options, ...(masks && { masks }) }));

  onStage?.('writing');
  await exportBundle(outputUri, data, config, {
    shape,
    weights: network.weights,
    masks,
    metrics: { best: network.best, validations: network.history.length },
    record: searched?.record,
    seconds: (performance.now() - startMillis) / 1000,
  });
  await checkpoints.clear();
  return { bundle: await loadBundle(storageFor(outputUri), outputUri), network, masks };
}

/** Of everything that decides the weights: a checkpoint of another run is of no use. */
function runFingerprint(
  config: TrainingConfig,
  { listing }: DataSplit,
  masks: TaskMasks | undefined,
): string {
  const hash = createHash('sha256').update(JSON.stringify([CODE_VERSION, config, listing]));
  for (const task of TASKS) for (const layer of masks?.[task] ?? []) hash.update(layer);
  return hash.digest('hex');
}
