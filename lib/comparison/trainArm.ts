import type { NcsNetworkConfig } from '../network/networkConfig.ts';
import { type ModelWeights, type NetworkShape, networkShape } from '../network/networkShape.ts';
import type { TaskMasks } from '../network/taskMasks.ts';
import type { TrainingData } from '../recipe/encodeData.ts';
import type { TrainingConfig } from '../recipe/trainingConfig.ts';
import { initialWeights } from '../training/modelWeights.ts';
import type { TrainingSettings } from '../training/trainingSettings.ts';
import { type NetworkTraining, type TrainedNetwork, trainNetwork } from '../training/trainNetwork.ts';
import { findArmMasks, unrelatedMask } from './armMasks.ts';
import { ARMS, settingsOfArm } from './arms.ts';
import type { LearningPoint } from './comparisonDocument.ts';
import { describeNetwork, type NetworkDescription } from './describeNetwork.ts';
import { trainSeparately } from './trainSeparately.ts';

/** An arm trained with one seed, ready for its bundle. */
export interface TrainedArm {
  /** The config's with the arm's own over them. */
  readonly settings: TrainingSettings;
  readonly shape: NetworkShape;
  readonly weights: ModelWeights;
  readonly masks: TaskMasks | undefined;
  /** Mean of click AUC and conversion AUC of the best validation; of two models apart, each task's at its own best one. */
  readonly validationScore: number;
  readonly curve: readonly LearningPoint[];
  /** Of everything the arm needs, searches too. */
  readonly seconds: number;
  readonly description: NetworkDescription;
}

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
    const description = describeNetwork(trained.shape, trained.weights, undefined);
    return { ...trained, settings, masks: undefined, description, seconds: secondsSince() };
  }
  const found = arm.masks === undefined ? undefined : await findArmMasks(arm, config, options, optionsOf);
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
    description: describeNetwork(shape, network.weights, masks, unrelated),
  };
}

function curveOf({ history }: TrainedNetwork): LearningPoint[] {
  return history.map(({ step, epoch, metrics }) => ({
    step,
    epoch,
    clickAuc: metrics.click.auc,
    conversionAuc: metrics.conversion.auc,
  }));
}
