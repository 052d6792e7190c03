import { layerConnections } from '../masks/trainUnderMasks.ts';
import { multiplyAddsPerRow } from '../network/multiplyAdds.ts';
import { type ModelWeights, type NetworkShape, trunkWeightName } from '../network/networkShape.ts';
import type { TaskMasks } from '../network/taskMasks.ts';
import type { LayerConnections } from './comparisonDocument.ts';

/** What a trained network costs and how its tasks share it. */
export interface NetworkDescription {
  /** Numbers outside the embeddings that a score depends on: connections in no mask and folded zeros don't count. */
  readonly parameters: number;
  readonly embeddingParameters: number;
  /** Multiply-adds of the matrix products for one row and both tasks, as trained: masks save none. */
  readonly multiplyAddsPerRow: number;
  /** Layers of the trunk, the overlap beside what chance and the common start would give; absent without masks. */
  readonly connections?: readonly LayerConnections[];
}

/** @param unrelatedConversion the conversion mask found for conversions that no feature explains */
export function describeNetwork(
  shape: NetworkShape,
  weights: ModelWeights,
  masks: TaskMasks | undefined,
  unrelatedConversion?: readonly Uint8Array[],
): NetworkDescription {
  return {
    parameters: countParameters(weights, masks),
    embeddingParameters: weights.embeddings.length,
    multiplyAddsPerRow: multiplyAddsPerRow(shape, masks),
    ...(masks && { connections: describeLayers(shape, masks, unrelatedConversion) }),
  };
}

function countParameters({ parameters }: ModelWeights, masks: TaskMasks | undefined): number {
  let count = 0;
  for (const values of parameters.values()) {
    for (const value of values) if (value !== 0) count++;
  }
  masks?.click.forEach((layer, index) => {
    const other = masks.conversion[index]!;
    const weights = parameters.get(trunkWeightName(index))!;
    layer.forEach((bit, i) => {
      if (bit === 0 && other[i] === 0 && weights[i] !== 0) count--;
    });
  });
  return count;
}

function describeLayers(
  { layerWidths }: NetworkShape,
  masks: TaskMasks,
  unrelatedConversion?: readonly Uint8Array[],
): LayerConnections[] {
  const unrelated =
    unrelatedConversion && layerConnections({ click: masks.click, conversion: unrelatedConversion });
  return layerConnections(masks).map((counts, layer) => {
    const { shared, clickOnly, conversionOnly, dead } = counts;
    const size = shared + clickOnly + conversionOnly + dead;
    const nullCounts = unrelated?.[layer];
    return {
      layer,
      inputWidth: layerWidths[layer]!,
      outputWidth: layerWidths[layer + 1]!,
      ...counts,
      jaccard: jaccard(counts),
      chanceJaccard: chanceJaccard((shared + clickOnly) / size, (shared + conversionOnly) / size),
      unrelatedJaccard: nullCounts === undefined ? null : jaccard(nullCounts),
    };
  });
}

/** |both| / |either|; two empty masks are equal. */
function jaccard({
  shared,
  clickOnly,
  conversionOnly,
}: Record<'shared' | 'clickOnly' | 'conversionOnly', number>) {
  const either = shared + clickOnly + conversionOnly;
  return either === 0 ? 1 : shared / either;
}

/** r1 r2 / (r1 + r2 - r1 r2) of independent masks of these densities (method section 7). */
function chanceJaccard(first: number, second: number): number {
  const both = first * second;
  return first + second === 0 ? 1 : both / (first + second - both);
}
