import type { Task } from '../base/tasks.ts';
import { type NetworkShape, trunkWeightName } from '../network/networkShape.ts';
import { layerSizes } from '../network/taskMasks.ts';
import { type NetworkTraining, trainNetwork } from '../training/trainNetwork.ts';
import type { Validation } from '../training/validation.ts';
import { density, pruneByMagnitude } from './pruneByMagnitude.ts';

/** One training of a mask search: the mask it ran under, and how well the task did with it. */
export interface MaskRound {
  /** 0 is the dense network. */
  readonly round: number;
  readonly mask: readonly Uint8Array[];
  readonly density: number;
  readonly layerDensities: readonly number[];
  /** The round's best validation, measured under its own mask. */
  readonly validation: Validation;
}

export interface PruningOptions {
  /** One task, or both for a mask that serves both. */
  readonly tasks: readonly Task[];
  /** T: how often the network is pruned; T + 1 trainings. */
  readonly rounds: number;
  /** Share of connections left after the last round, in (0, 1]. */
  readonly finalDensity: number;
  /** Of one training. */
  readonly epochs: number;
  readonly onRound?: (round: MaskRound) => void;
}

/**
 * Iterative magnitude pruning with rewinding (method section 6). Every round starts from the same
 * initial weights, embeddings and optimiser included: a mask says which connections of that initialisation are
 * worth training, nothing about other weights. Magnitudes are those of the round's best validation.
 * @returns all T + 1 rounds, the dense one first; every mask is a subset of the one before
 */
export async function pruneIteratively(
  training: NetworkTraining,
  { tasks, rounds, finalDensity, epochs, onRound }: PruningOptions,
): Promise<MaskRound[]> {
  const layers = layerSizes(training.shape);
  const fraction = 1 - finalDensity ** (1 / rounds);
  const found: MaskRound[] = [];
  let mask: readonly Uint8Array[] = layers.map((size) => new Uint8Array(size).fill(1));
  for (let round = 0; round <= rounds; round++) {
    const { weights, best } = await trainNetwork(training, {
      masks: { click: mask, conversion: mask },
      tasks,
      epochs,
      checkpointName: `search-${tasks.join('-')}-${round}`,
    });
    const result = {
      round,
      mask,
      density: density(mask),
      layerDensities: mask.map((layer) => density([layer])),
      validation: best,
    };
    found.push(result);
    onRound?.(result);
    mask = pruneByMagnitude(trunkWeights(training.shape, weights.parameters), mask, fraction);
  }
  return found;
}

function trunkWeights(shape: NetworkShape, parameters: ReadonlyMap<string, Float32Array>): Float32Array[] {
  return layerSizes(shape).map((_, layer) => parameters.get(trunkWeightName(layer))!);
}
