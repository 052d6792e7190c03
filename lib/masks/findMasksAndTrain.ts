import type { TaskMasks } from '../network/taskMasks.ts';
import { type NetworkTraining, type TrainedNetwork, trainNetwork } from '../training/trainNetwork.ts';
import { type LearnedMasks, learnMasks } from './learnMasks.ts';
import type { MaskSearchConfig } from './maskSearchConfig.ts';
import { density } from './pruneByMagnitude.ts';
import type { MaskRound } from './pruneIteratively.ts';
import {
  countConnections,
  layerConnections,
  type MaskedNetwork,
  trainUnderMasks,
} from './trainUnderMasks.ts';

/** A network trained under masks that were found for it. */
export interface FoundNetwork {
  readonly network: TrainedNetwork;
  /** Undefined when the dense network won: plain hard sharing. */
  readonly masks: TaskMasks | undefined;
  /** What the bundle keeps of the search: figures, not the masks, which are folded into the model. */
  readonly record: Record<string, unknown>;
}

const LEARNED = 'learned-masks';

/**
 * Finds the two sub-networks as the config says and trains both tasks jointly under them: by `trainUnderMasks`, whose
 * joint trainings choose among pruned masks, or by `learnMasks` and one joint training.
 */
export async function findMasksAndTrain(
  training: NetworkTraining,
  config: MaskSearchConfig,
  onStage: (text: string) => void = () => {},
): Promise<FoundNetwork> {
  if (config.method === 'imp') {
    const found = await trainUnderMasks(training, config, onStage);
    return { network: found.network, masks: found.masks, record: describeSearch(found) };
  }
  const kept = (await training.checkpoints?.load(LEARNED)) as LearnedMasks | undefined;
  const learned = kept ?? (await learnMasks(training, config));
  if (kept === undefined) await training.checkpoints?.save(LEARNED, learned);
  const { masks } = learned;
  onStage(
    `masks learned in ${learned.seconds.toFixed(0)} s: density click ${density(masks.click).toFixed(3)}, ` +
      `conversion ${density(masks.conversion).toFixed(3)}`,
  );
  const network = await trainNetwork(training, { masks });
  return { network, masks, record: describeLearning(learned) };
}

function describeLearning({
  masks,
  handedOver,
  sharedCosines,
  seconds,
}: LearnedMasks): Record<string, unknown> {
  return {
    connections: countConnections(masks),
    layers: layerConnections(masks),
    handedOver,
    sharedCosines,
    seconds,
  };
}

function describeSearch({ searches, candidates, chosenRound }: MaskedNetwork): Record<string, unknown> {
  const describe = (rounds: readonly MaskRound[]) =>
    rounds.map(({ round, density, layerDensities, validation }) => ({
      round,
      density,
      layerDensities,
      auc: validation.score,
    }));
  return {
    click: describe(searches.click),
    conversion: describe(searches.conversion),
    candidates,
    chosenRound,
  };
}
