import { type PerTask, perTask, TASKS, type Task } from '../base/tasks.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';
import { expertsOf, layerBiasName, layerWeightName } from '../network/expertParameters.ts';
import type { NcsNetworkConfig } from '../network/networkConfig.ts';
import type { ModelWeights } from '../network/networkShape.ts';
import {
  headBiasName,
  headWeightName,
  type NetworkShape,
  networkShape,
  trunkBiasName,
  trunkWeightName,
} from '../network/networkShape.ts';
import { applyMask, type TaskMasks } from '../network/taskMasks.ts';
import type { TrainingConfig } from '../recipe/trainingConfig.ts';
import { type NetworkTraining, type TrainedNetwork, trainNetwork } from '../training/trainNetwork.ts';
import { maskOfBoth, ownTicket } from './armMasks.ts';
import { expertsConfig } from './arms.ts';
import type { LearningPoint } from './comparisonDocument.ts';

/** Two trainings as one network. */
interface SeparatelyTrained {
  readonly shape: NetworkShape;
  readonly weights: ModelWeights;
  /** Mean of each task's best validation AUC. */
  readonly validationScore: number;
  readonly curve: readonly LearningPoint[];
}

/**
 * Both tasks alone, from one initialisation, put together to one network; with `ownTicket`, each under the mask of its
 * own best round.
 */
export async function trainSeparately(
  kind: 'dense' | 'ownTicket',
  config: TrainingConfig & { network: NcsNetworkConfig },
  options: NetworkTraining,
): Promise<SeparatelyTrained> {
  const trainAlone = async (task: Task) => {
    const mask = kind === 'dense' ? undefined : await ownTicket(task, config, options);
    const masks = mask && maskOfBoth(mask);
    return { network: await trainNetwork(options, { tasks: [task], masks }), mask };
  };
  const click = await trainAlone('click');
  const conversion = await trainAlone('conversion');
  const trained = { click: click.network, conversion: conversion.network };
  const masks = click.mask && conversion.mask && { click: click.mask, conversion: conversion.mask };
  const weights = perTask((task) => trained[task].weights);
  const combined = combineTasks(config.network, options.shape.layout, weights, masks);
  return {
    ...combined,
    validationScore: (trained.click.best.score + trained.conversion.best.score) / TASKS.length,
    curve: curveOfBoth(trained),
  };
}

/**
 * Two networks that were trained apart as one that scores both tasks: an expert per task on embeddings of its own,
 * [R, 2E], the click model's columns first. Masks are folded in. Exact: nothing is rounded again.
 * @internal exported for tests: the combined network is compared with its two halves
 */
export function combineTasks(
  config: NcsNetworkConfig,
  layout: FeatureLayout,
  weights: PerTask<ModelWeights>,
  masks: TaskMasks | undefined,
): { shape: NetworkShape; weights: ModelWeights } {
  const { embeddingWidth, hidden } = config;
  const combined = expertsConfig(config, { perTask: 1, embeddings: 'perTask' });
  const shape = networkShape(combined, layout);
  const embeddings = new Float32Array(layout.embeddingRowCount * shape.embeddingWidth);
  const parameters = new Map<string, Float32Array>();
  TASKS.forEach((task, position) => {
    const own = weights[task];
    for (let row = 0; row < layout.embeddingRowCount; row++) {
      const values = own.embeddings.subarray(row * embeddingWidth, (row + 1) * embeddingWidth);
      embeddings.set(values, row * shape.embeddingWidth + position * embeddingWidth);
    }
    const expert = expertsOf(task, combined)[0]!;
    hidden.forEach((_, layer) => {
      const mask = masks?.[task][layer];
      const weight = own.parameters.get(trunkWeightName(layer))!;
      parameters.set(layerWeightName(expert, layer), mask === undefined ? weight : applyMask(weight, mask));
      parameters.set(layerBiasName(expert, layer), own.parameters.get(trunkBiasName(layer))!);
    });
    for (const name of [headWeightName(task), headBiasName(task)]) {
      parameters.set(name, own.parameters.get(name)!);
    }
  });
  return { shape, weights: { embeddings, parameters } };
}

/** Validations of two trainings by step; where one has stopped, it has none. */
function curveOfBoth({ click, conversion }: PerTask<TrainedNetwork>): LearningPoint[] {
  const steps = new Map([...click.history, ...conversion.history].map(({ step, epoch }) => [step, epoch]));
  const at = (network: TrainedNetwork, step: number) =>
    network.history.find((validation) => validation.step === step)?.metrics;
  return [...steps]
    .sort(([a], [b]) => a - b)
    .map(([step, epoch]) => ({
      step,
      epoch,
      clickAuc: at(click, step)?.click.auc ?? null,
      conversionAuc: at(conversion, step)?.conversion.auc ?? null,
    }));
}
