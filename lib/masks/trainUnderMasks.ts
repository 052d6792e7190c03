import type { Task } from '../base/tasks.ts';
import type { TaskMasks } from '../network/taskMasks.ts';
import { type NetworkTraining, type TrainedNetwork, trainNetwork } from '../training/trainNetwork.ts';
import type { MagnitudeSearchConfig } from './maskSearchConfig.ts';
import { type MaskRound, pruneIteratively } from './pruneIteratively.ts';

/** How the connections of one trunk layer, or of all, are used. */
export interface ConnectionCounts {
  /** Kept by both tasks. */
  readonly shared: number;
  readonly clickOnly: number;
  readonly conversionOnly: number;
  /** Kept by neither. */
  readonly dead: number;
}

/** A pair of masks and the joint training under it. */
interface MaskCandidate {
  readonly round: number;
  readonly density: number;
  /** Best joint validation: mean of click AUC and conversion AUC. */
  readonly score: number;
  readonly connections: ConnectionCounts;
}

export interface MaskedNetwork {
  readonly network: TrainedNetwork;
  /** Undefined when the dense network won: plain hard sharing. */
  readonly masks: TaskMasks | undefined;
  readonly searches: { readonly click: readonly MaskRound[]; readonly conversion: readonly MaskRound[] };
  readonly candidates: readonly MaskCandidate[];
  readonly chosenRound: number;
}

/** A difference of mean AUC below this is noise of one validation day; the sparser masks win then. */
export const TIE_AUC = 0.0005;

/**
 * NCS4CVR by pruning: `pruneIteratively` for each task from one initialisation, then both tasks trained jointly from
 * that same initialisation under the masks of every round; the round with the best joint validation is kept. A single
 * task's own rounds differ by less than their noise, conversions being few, so they don't decide.
 */
export async function trainUnderMasks(
  training: NetworkTraining,
  { rounds, finalDensity, epochs }: MagnitudeSearchConfig,
  onStage: (text: string) => void = () => {},
): Promise<MaskedNetwork> {
  const search = (task: Task) =>
    pruneIteratively(training, {
      tasks: [task],
      rounds,
      finalDensity,
      epochs,
      onRound: ({ round, density, validation }) =>
        onStage(
          `mask search, ${task}: round ${round}/${rounds}, density ${density.toFixed(3)}, AUC ${validation.score.toFixed(4)}`,
        ),
    });
  const searches = { click: await search('click'), conversion: await search('conversion') };
  const candidates: MaskCandidate[] = [];
  let chosen: { round: number; network: TrainedNetwork; masks: TaskMasks } | undefined;
  let bestScore = Number.NEGATIVE_INFINITY;
  for (let round = 0; round <= rounds; round++) {
    const masks = { click: searches.click[round]!.mask, conversion: searches.conversion[round]!.mask };
    const network = await trainNetwork(training, { masks, checkpointName: `joint-${round}` });
    const { score } = network.best;
    candidates.push({
      round,
      density: searches.click[round]!.density,
      score,
      connections: countConnections(masks),
    });
    onStage(`joint training under the masks of round ${round}: mean AUC ${score.toFixed(4)}`);
    if (score >= bestScore - TIE_AUC) chosen = { round, network, masks };
    bestScore = Math.max(bestScore, score);
  }
  const { round, network, masks } = chosen!;
  return {
    network,
    masks: round === 0 ? undefined : masks,
    searches,
    candidates,
    chosenRound: round,
  };
}

/** Counts over all layers of both masks. */
export function countConnections(masks: TaskMasks): ConnectionCounts {
  const layers = layerConnections(masks);
  const total = (key: keyof ConnectionCounts) => layers.reduce((sum, layer) => sum + layer[key], 0);
  return {
    shared: total('shared'),
    clickOnly: total('clickOnly'),
    conversionOnly: total('conversionOnly'),
    dead: total('dead'),
  };
}

export function layerConnections(masks: TaskMasks): ConnectionCounts[] {
  return masks.click.map((layer, index) => {
    const counts = { shared: 0, clickOnly: 0, conversionOnly: 0, dead: 0 };
    const other = masks.conversion[index]!;
    layer.forEach((bit, i) => {
      if (bit === 1) counts[other[i] === 1 ? 'shared' : 'clickOnly']++;
      else counts[other[i] === 1 ? 'conversionOnly' : 'dead']++;
    });
    return counts;
  });
}
