import { type PerTask, perTask, TASKS, type Task } from '../base/tasks.ts';
import {
  headBiasName,
  headWeightName,
  type ModelWeights,
  type NetworkShape,
  trunkBiasName,
  trunkWeightName,
} from './networkShape.ts';
import { applyMask, type TaskMasks } from './taskMasks.ts';

/** A fully connected layer, y = ReLU(x W + b); a head, without ReLU, gives the logit. */
export interface DenseLayer {
  readonly name: string;
  readonly isHead: boolean;
  readonly inputs: number;
  readonly units: number;
  /** [inputs, units], row-major. */
  readonly weight: Float32Array;
  readonly bias: Float32Array;
}

/** The trunks of both tasks without what no score depends on. */
export interface PrunedTrunk {
  /** Layers in front, which both tasks compute alike from the same input. */
  readonly shared: readonly DenseLayer[];
  /** The layers behind them; the last one is the head, one unit. */
  readonly own: PerTask<readonly DenseLayer[]>;
}

/** A layer on the way: the layers that read it are those whose rows go with its units. */
interface Draft {
  readonly name: string;
  units: number;
  weight: Float32Array;
  bias: Float64Array;
  readers: Draft[];
}

/**
 * Folds the masks into the weights and takes away the units that need no computing. A unit that reads nothing is the
 * constant ReLU(bias): it moves into the biases behind it. A unit that nothing reads goes with its weights. One unit of a
 * layer always stays. Input rows stay, the dead ones as zeros; of a full interaction the two equal products of a pair
 * become the one of `upper`, with the sum of their weights.
 * @param shape of an NCS network
 */
export function pruneTrunk(
  shape: NetworkShape,
  weights: ModelWeights,
  masks: TaskMasks | undefined,
): PrunedTrunk {
  const depth = shape.layerWidths.length - 1;
  const sharedDepth = shape.privateEmbeddingWidth > 0 ? 0 : equalLayers(masks, depth);
  const layerOf = (name: string, layer: number, task: Task): Draft => {
    const dense = weights.parameters.get(trunkWeightName(layer))!;
    const mask = masks?.[task][layer];
    const folded = mask === undefined ? dense : applyMask(dense, mask);
    return {
      name,
      units: shape.layerWidths[layer + 1]!,
      weight: layer === 0 ? withPairsOnce(shape, folded) : folded,
      bias: Float64Array.from(weights.parameters.get(trunkBiasName(layer))!),
      readers: [],
    };
  };
  const layers = (from: number, to: number, task: Task, prefix: string) =>
    Array.from({ length: to - from }, (_, i) => layerOf(`${prefix}trunk.${from + i}`, from + i, task));
  const shared = layers(0, sharedDepth, 'click', '');
  const own = perTask((task) => [...layers(sharedDepth, depth, task, `${task}.`), headOf(task, weights)]);
  for (const chain of [shared, ...TASKS.map((task) => own[task])]) {
    for (const [i, layer] of chain.slice(1).entries()) chain[i]!.readers.push(layer);
  }
  shared.at(-1)?.readers.push(...TASKS.map((task) => own[task][0]!));
  const all = [...shared, ...TASKS.flatMap((task) => own[task])].filter(({ readers }) => readers.length > 0);
  for (const layer of all) foldConstants(layer);
  for (const layer of all.toReversed()) keepUnits(layer, (unit) => isRead(layer, unit));
  const finish = (layer: Draft): DenseLayer => ({
    name: layer.name,
    isHead: layer.readers.length === 0,
    inputs: layer.weight.length / layer.units,
    units: layer.units,
    weight: layer.weight,
    bias: Float32Array.from(layer.bias),
  });
  return { shared: shared.map(finish), own: perTask((task) => own[task].map(finish)) };
}

/** Leading layers in which both tasks keep the same connections. */
function equalLayers(masks: TaskMasks | undefined, depth: number): number {
  if (masks === undefined) return depth;
  const first = masks.click.findIndex((mask, layer) => Buffer.compare(mask, masks.conversion[layer]!) !== 0);
  return first < 0 ? depth : first;
}

function headOf(task: Task, { parameters }: ModelWeights): Draft {
  return {
    name: `${task}.head`,
    units: 1,
    weight: parameters.get(headWeightName(task))!,
    bias: Float64Array.from(parameters.get(headBiasName(task))!),
    readers: [],
  };
}

/** Rows of the first layer with each pair of crossed fields once: X (X + 1) / 2 rows, then those of embeddings and numbers. */
function withPairsOnce({ config, crossFields }: NetworkShape, weight: Float32Array): Float32Array {
  if (config.kind === 'logistic' || config.cross.mode !== 'full') return weight;
  const count = crossFields.length;
  const units = config.hidden[0]!;
  const pairs = crossedPairs(count);
  const once = new Float32Array(weight.length - (count ** 2 - pairs.length) * units);
  pairs.forEach(([i, j], row) => {
    for (let unit = 0; unit < units; unit++) {
      const there = weight[(i * count + j) * units + unit]!;
      const back = i === j ? 0 : weight[(j * count + i) * units + unit]!;
      once[row * units + unit] = there + back;
    }
  });
  once.set(weight.subarray(count ** 2 * units), pairs.length * units);
  return once;
}

/** Positions (i, j), i <= j, of the pairs of crossed fields, in the order of the first layer's rows. */
export function crossedPairs(count: number): [number, number][] {
  return Array.from({ length: count }, (_, i) =>
    Array.from({ length: count - i }, (_, k): [number, number] => [i, i + k]),
  ).flat();
}

function foldConstants(layer: Draft): void {
  const { units, weight, bias } = layer;
  const reads = new Uint8Array(units);
  weight.forEach((value, i) => {
    if (value !== 0) reads[i % units] = 1;
  });
  if (!reads.includes(1)) reads[0] = 1;
  for (const reader of layer.readers) {
    for (let unit = 0; unit < units; unit++) {
      const constant = Math.max(0, bias[unit]!);
      if (reads[unit] === 1 || constant === 0) continue;
      for (let to = 0; to < reader.units; to++) {
        reader.bias[to]! += constant * reader.weight[unit * reader.units + to]!;
      }
    }
  }
  keepUnits(layer, (unit) => reads[unit] === 1);
}

function isRead({ readers }: Draft, unit: number): boolean {
  return readers.some(({ units, weight }) =>
    weight.subarray(unit * units, (unit + 1) * units).some((value) => value !== 0),
  );
}

/** Keeps columns of the layer and rows of its readers; the first unit if it would be none. */
function keepUnits(layer: Draft, isKept: (unit: number) => boolean): void {
  const { units, weight, bias } = layer;
  const live = Array.from({ length: units }, (_, unit) => unit).filter(isKept);
  if (live.length === units) return;
  const kept = live.length === 0 ? [0] : live;
  const inputs = weight.length / units;
  layer.weight = Float32Array.from(
    { length: inputs * kept.length },
    (_, i) => weight[Math.floor(i / kept.length) * units + kept[i % kept.length]!]!,
  );
  layer.bias = Float64Array.from(kept, (unit) => bias[unit]!);
  layer.units = kept.length;
  for (const reader of layer.readers) {
    const rows = reader.weight;
    reader.weight = Float32Array.from(
      { length: kept.length * reader.units },
      (_, i) => rows[kept[Math.floor(i / reader.units)]! * reader.units + (i % reader.units)]!,
    );
  }
}
