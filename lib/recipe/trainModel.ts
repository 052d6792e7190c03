import { createHash } from 'node:crypto';
import { CODE_VERSION } from '../base/codeVersion.ts';
import { TASKS } from '../base/tasks.ts';
import { loadBundle, type ModelBundle } from '../bundle/loadBundle.ts';
import { refuseExisting, refuseUnwritable } from '../bundle/writeBundle.ts';
import { findMasksAndTrain } from '../masks/findMasksAndTrain.ts';
import { sharingMap } from '../masks/sharingMap.ts';
import { networkShape } from '../network/networkShape.ts';
import type { TaskMasks } from '../network/taskMasks.ts';
import type { ShardInput } from '../storage/listShards.ts';
import { storageFor } from '../storage/openStorage.ts';
import { joinUri } from '../storage/uri.ts';
import { CheckpointStore } from '../training/checkpointStore.ts';
import { initialWeights } from '../training/modelWeights.ts';
import type { TrainingProgress } from '../training/trainingProgress.ts';
import { type NetworkTraining, type TrainedNetwork, trainNetwork } from '../training/trainNetwork.ts';
import type { Validation } from '../training/validation.ts';
import { encodeData } from './encodeData.ts';
import { exportBundle } from './exportBundle.ts';
import { fitFeatures } from './fitFeatures.ts';
import { type DataSplit, splitShards } from './splitShards.ts';
import type { TrainingConfig } from './trainingConfig.ts';

type TrainingStage = 'fitting' | 'encoding' | 'training' | 'writing';

export interface TrainModelOptions {
  /** Called for each note, on the split once the data is split, on the labels once they are read. */
  readonly onNote?: (text: string) => void;
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
  /** Which rows it was trained and chosen on, and which are neither. */
  readonly split: DataSplit;
  /** Found or given; undefined when every connection is shared. */
  readonly masks: TaskMasks | undefined;
  /** As DataSplit.notes, then TrainingData.notes. */
  readonly notes: readonly string[];
}

/** Folder of the checkpoints within the output; hidden, and gone when the bundle is there. */
const CHECKPOINTS = '.checkpoints';

/**
 * The whole path of a training config: split the shards, fit the contract on the training rows, encode training and
 * validation rows, find the masks if the config asks for them, train, and write a bundle, which is then loaded and
 * verified as scoring would. A run that was killed goes on after its last whole epoch, search round included, when it
 * is called again with the same arguments.
 */
export async function trainModel(
  config: TrainingConfig,
  input: ShardInput,
  outputUri: string,
  { onNote, onStage, onProgress, onSearch, masks: given }: TrainModelOptions = {},
): Promise<TrainedModel> {
  const startMillis = performance.now();
  await refuseExisting(outputUri);
  const split = await splitShards(input, config.split);
  for (const note of split.notes) onNote?.(note);
  await refuseUnwritable(outputUri);

  onStage?.('fitting');
  const fitted = await fitFeatures(config, split);
  onStage?.('encoding');
  const data = await encodeData(config, split, fitted);
  for (const note of data.notes) onNote?.(note);

  onStage?.('training');
  const shape = networkShape(config.network, data.layout);
  const fingerprint = runFingerprint(config, split, given);
  const checkpoints = new CheckpointStore(joinUri(outputUri, CHECKPOINTS), fingerprint);
  const training: NetworkTraining = {
    shape,
    settings: config.training,
    initial: initialWeights(shape, config.training, data.rates),
    trainingSet: data.trainingSet,
    validationSet: data.validationSet,
    onProgress,
    checkpoints,
  };
  const { network, masks, record } =
    config.masks === undefined
      ? { network: await trainNetwork(training, { masks: given }), masks: given, record: undefined }
      : await findMasksAndTrain(training, config.masks, onSearch);

  onStage?.('writing');
  await exportBundle(outputUri, data, config, {
    shape,
    weights: network.weights,
    masks,
    metrics: {
      best: network.best,
      validations: network.history.length,
      curve: network.history.map(learningPoint),
    },
    record: masks === undefined ? record : { ...record, map: sharingMap(shape, masks) },
    seconds: (performance.now() - startMillis) / 1000,
  });
  await checkpoints.clear();
  return {
    bundle: await loadBundle(storageFor(outputUri), outputUri),
    network,
    split,
    masks,
    notes: [...split.notes, ...data.notes],
  };
}

/** One validation, as a bundle keeps it for its learning curve. */
function learningPoint({ step, epoch, losses, metrics }: Validation) {
  const { click, conversion } = metrics;
  return { step, epoch, losses, clickAuc: click.auc, conversionAuc: conversion.auc };
}

/** Of everything that decides the weights: a checkpoint of another run can't be used. */
function runFingerprint(
  config: TrainingConfig,
  { listing, newestDay }: DataSplit,
  masks: TaskMasks | undefined,
): string {
  const hash = createHash('sha256').update(JSON.stringify([CODE_VERSION, config, listing, newestDay]));
  for (const task of TASKS) for (const layer of masks?.[task] ?? []) hash.update(layer);
  return hash.digest('hex');
}
