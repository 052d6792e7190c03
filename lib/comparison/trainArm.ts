import { type PerTask, perTask, TASKS, type Task } from '../base/tasks.ts';
import { learnMasks, taskDensities } from '../masks/learnMasks.ts';
import {
  type LearnedMasksConfig,
  type MagnitudeSearchConfig,
  maskSearchDefaults,
} from '../masks/maskSearchConfig.ts';
import { pruneIteratively } from '../masks/pruneIteratively.ts';
import { TIE_AUC, trainUnderMasks } from '../masks/trainUnderMasks.ts';
import type { NcsNetworkConfig } from '../network/networkConfig.ts';
import { type ModelWeights, type NetworkShape, networkShape } from '../network/networkShape.ts';
import { allOnesMasks, type TaskMasks } from '../network/taskMasks.ts';
import type { TrainingData } from '../recipe/encodeData.ts';
import type { TrainingConfig } from '../recipe/trainingConfig.ts';
import { initialWeights } from '../training/modelWeights.ts';
import type { TrainingSettings } from '../training/trainingSettings.ts';
import { type NetworkTraining, type TrainedNetwork, trainNetwork } from '../training/trainNetwork.ts';
import { ARMS, type Arm, REFERENCE_ARM, settingsOfArm } from './arms.ts';
import { combineTasks, maskOfBoth } from './combineTasks.ts';
import type { LayerConnections, LearningPoint } from './comparisonDocument.ts';
import { permuteConversions, randomMasks } from './controls.ts';
import { describeLayers } from './describeLayers.ts';

/** An arm trained with one seed, ready for its bundle. */
export interface TrainedArm {
  /** The config's with the arm's own over them. */
  readonly settings: TrainingSettings;
  readonly shape: NetworkShape;
  readonly weights: ModelWeights;
  readonly masks: TaskMasks | undefined;
  /** Mean of the best click AUC and the best conversion AUC on the validation part. */
  readonly validationScore: number;
  readonly curve: readonly LearningPoint[];
  /** Of everything the arm needs, searches too. */
  readonly seconds: number;
  readonly connections: readonly LayerConnections[] | undefined;
}

/** Masks, and what describes them. */
interface ArmMasks {
  readonly masks: TaskMasks;
  /** Where the search already trained the final network. */
  readonly network?: TrainedNetwork;
}

/** Apart from every other use of the seed. */
const CONTROL_STREAM = 2 ** 22;

/** Trains one arm with one seed on prepared data. Deterministic on one machine. */
export async function trainArm(
  name: string,
  config: TrainingConfig & { network: NcsNetworkConfig },
  data: TrainingData,
  seed: number,
): Promise<TrainedArm> {
  const startMillis = performance.now();
  const arm = ARMS[name]!;
  const shape = networkShape(arm.network?.(config.network) ?? config.network, data.layout);
  const optionsOf = (settingsOwner: string): NetworkTraining => {
    const settings = { ...settingsOfArm(settingsOwner, config), seed };
    return {
      shape,
      settings,
      initial: initialWeights(shape, settings, data.rates),
      trainingSet: data.trainingSet,
      validationSet: data.validationSet,
    };
  };
  const options = optionsOf(name);
  const { settings } = options;
  const secondsSince = () => (performance.now() - startMillis) / 1000;
  if (arm.separately !== undefined) {
    const trained = await trainSeparately(arm.separately, config, options);
    return { ...trained, settings, masks: undefined, connections: undefined, seconds: secondsSince() };
  }
  const found = arm.masks === undefined ? undefined : await masksOf(arm, config, options, optionsOf);
  const masks = found?.masks;
  const network = found?.network ?? (await trainNetwork(options, { masks }));
  const seconds = secondsSince();
  const unrelated =
    masks && arm.masks?.kind === 'learned' ? await unrelatedMask(arm, config, options) : undefined;
  return {
    settings,
    shape,
    weights: network.weights,
    masks,
    validationScore: network.best.score,
    curve: curveOf(network),
    seconds,
    connections: masks && describeLayers(shape, masks, unrelated),
  };
}

/** What an arm that learns its masks, or is compared with one, learns them by. */
function learnedConfig({ masks: source }: Arm, { masks }: TrainingConfig): LearnedMasksConfig {
  const config = masks?.method === 'learned' ? masks : maskSearchDefaults.learned;
  return source?.kind === 'learned' ? { ...config, ...source.over } : config;
}
const magnitudeConfig = ({ masks }: TrainingConfig): MagnitudeSearchConfig =>
  masks?.method === 'imp' ? masks : maskSearchDefaults.imp;

/** @param optionsOf the same training with the settings of another arm */
async function masksOf(
  arm: Arm,
  config: TrainingConfig,
  options: NetworkTraining,
  optionsOf: (settingsOwner: string) => NetworkTraining,
): Promise<ArmMasks> {
  const source = arm.masks!;
  const learned = learnedConfig(arm, config);
  if (source.kind === 'learned') return learnMasks(options, learned);
  if (source.kind === 'random') {
    const { masks } = await learnMasks(optionsOf(REFERENCE_ARM), learned);
    return { masks: randomMasks(masks, options.settings.seed + CONTROL_STREAM) };
  }
  const magnitude = magnitudeConfig(config);
  if (source.kind === 'imp') {
    const { masks, network } = await trainUnderMasks(options, magnitude);
    return { masks: masks ?? allOnesMasks(options.shape), network };
  }
  const rounds = await pruneIteratively(options, {
    tasks: TASKS,
    rounds: magnitude.rounds,
    epochs: magnitude.epochs,
    finalDensity: taskDensities(learned.density).conversion,
  });
  return { masks: maskOfBoth(rounds.at(-1)!.mask) };
}

/**
 * The conversion mask that the same initialisation gives when conversions have nothing to do with the features: what
 * its overlap with the click mask owes to the common start alone.
 */
async function unrelatedMask(
  arm: Arm,
  config: TrainingConfig,
  options: NetworkTraining,
): Promise<readonly Uint8Array[]> {
  const { settings, trainingSet } = options;
  const permuted = permuteConversions(trainingSet, settings.seed + CONTROL_STREAM);
  const { masks } = await learnMasks({ ...options, trainingSet: permuted }, learnedConfig(arm, config));
  return masks.conversion;
}

/** Both tasks alone, from one initialisation; with `ownTicket`, each under the mask of its own best round. */
async function trainSeparately(
  kind: 'dense' | 'ownTicket',
  config: TrainingConfig & { network: NcsNetworkConfig },
  options: NetworkTraining,
): Promise<Pick<TrainedArm, 'shape' | 'weights' | 'validationScore' | 'curve'>> {
  const trainAlone = async (task: Task) => {
    const mask = kind === 'dense' ? undefined : await ownTicket(task, magnitudeConfig(config), options);
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

/** The mask of the task's round with the best validation, the sparser within a tie; the dense round doesn't count. */
async function ownTicket(
  task: Task,
  { rounds, finalDensity, epochs }: MagnitudeSearchConfig,
  options: NetworkTraining,
): Promise<readonly Uint8Array[]> {
  const searched = await pruneIteratively(options, { tasks: [task], rounds, finalDensity, epochs });
  const pruned = searched.slice(1);
  const best = Math.max(...pruned.map(({ validation }) => validation.score));
  return pruned.findLast(({ validation }) => validation.score >= best - TIE_AUC)!.mask;
}

function curveOf({ history }: TrainedNetwork): LearningPoint[] {
  return history.map(({ step, epoch, metrics }) => ({
    step,
    epoch,
    clickAuc: metrics.click.auc,
    conversionAuc: metrics.conversion.auc,
  }));
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
