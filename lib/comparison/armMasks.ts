import { RandomStream } from '../base/randomStream.ts';
import { perTask, TASKS, type Task } from '../base/tasks.ts';
import { learnMasks, taskDensities } from '../masks/learnMasks.ts';
import {
  type LearnedMasksConfig,
  type MagnitudeSearchConfig,
  maskSearchDefaults,
} from '../masks/maskSearchConfig.ts';
import { pruneIteratively } from '../masks/pruneIteratively.ts';
import { TIE_AUC, trainUnderMasks } from '../masks/trainUnderMasks.ts';
import { allOnesMasks, type TaskMasks } from '../network/taskMasks.ts';
import type { TrainingConfig } from '../recipe/trainingConfig.ts';
import { hasConversionLabel } from '../training/taskLabels.ts';
import type { TrainingSet } from '../training/trainingSet.ts';
import type { NetworkTraining, TrainedNetwork } from '../training/trainNetwork.ts';
import { type Arm, REFERENCE_ARM } from './arms.ts';

/** The masks that an arm trains under. */
export interface ArmMasks {
  readonly masks: TaskMasks;
  /** Where their search has already trained the final network. */
  readonly network?: TrainedNetwork;
}

/** Apart from every other use of the seed. */
const CONTROL_STREAM = 2 ** 22;

/**
 * The masks of an arm whose masks have a source.
 * @param optionsOf the same training with the settings of another arm
 */
export async function findArmMasks(
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
export async function unrelatedMask(
  arm: Arm,
  config: TrainingConfig,
  options: NetworkTraining,
): Promise<readonly Uint8Array[]> {
  const { settings, trainingSet } = options;
  const permuted = permuteConversions(trainingSet, settings.seed + CONTROL_STREAM);
  const { masks } = await learnMasks({ ...options, trainingSet: permuted }, learnedConfig(arm, config));
  return masks.conversion;
}

/** The mask of the task's round with the best validation, the sparser within a tie; the dense round doesn't count. */
export async function ownTicket(
  task: Task,
  config: TrainingConfig,
  options: NetworkTraining,
): Promise<readonly Uint8Array[]> {
  const { rounds, finalDensity, epochs } = magnitudeConfig(config);
  const searched = await pruneIteratively(options, { tasks: [task], rounds, finalDensity, epochs });
  const pruned = searched.slice(1);
  const best = Math.max(...pruned.map(({ validation }) => validation.score));
  return pruned.findLast(({ validation }) => validation.score >= best - TIE_AUC)!.mask;
}

/** What an arm that learns its masks, or is compared with one, learns them by. */
function learnedConfig({ masks: source }: Arm, { masks }: TrainingConfig): LearnedMasksConfig {
  const config = masks?.method === 'learned' ? masks : maskSearchDefaults.learned;
  return source?.kind === 'learned' ? { ...config, ...source.over } : config;
}
const magnitudeConfig = ({ masks }: TrainingConfig): MagnitudeSearchConfig =>
  masks?.method === 'imp' ? masks : maskSearchDefaults.imp;

/**
 * Masks with exactly as many connections in every layer as the given ones, uniformly chosen, tasks independently.
 * @internal exported for tests: their densities and independence are checked apart from training
 */
export function randomMasks(like: TaskMasks, seed: number): TaskMasks {
  const random = new RandomStream(seed);
  return perTask((task) => like[task].map((layer) => shuffledBits(layer, random)));
}

function shuffledBits(layer: Uint8Array, random: RandomStream): Uint8Array {
  const order = Int32Array.from(layer.keys());
  random.shuffle(order);
  return Uint8Array.from(order, (position) => layer[position]!);
}

/**
 * The same rows with the known conversions of the clicked ones shuffled among them: same rates, nothing to learn from features.
 * @internal exported for tests: what stays and what moves is checked apart from training
 */
export function permuteConversions(set: TrainingSet, seed: number): TrainingSet {
  const clicked = Int32Array.from(set.click.keys()).filter((row) => hasConversionLabel(set, row));
  const dealt = clicked.slice();
  new RandomStream(seed).shuffle(dealt);
  const conversion = set.conversion.slice();
  clicked.forEach((row, i) => {
    conversion[row] = set.conversion[dealt[i]!]!;
  });
  return { ...set, conversion };
}

/** The same mask for both tasks. */
export function maskOfBoth(mask: readonly Uint8Array[]): TaskMasks {
  return perTask(() => mask);
}
