import { TASKS } from '../base/tasks.ts';
import { layerConnections } from '../masks/trainUnderMasks.ts';
import { expertsOf } from '../network/expertParameters.ts';
import type { ModelWeights, NetworkShape } from '../network/networkShape.ts';
import type { TaskMasks } from '../network/taskMasks.ts';
import type { LayerConnections } from './comparisonDocument.ts';

/** What a trained network costs and how its tasks share it. */
export interface NetworkDescription {
  /** Numbers outside the embeddings that a score depends on: connections in no mask and folded zeros don't count. */
  readonly parameters: number;
  readonly embeddingParameters: number;
  /** Multiply-adds of the matrix products that score one row for both tasks, as served: masks save none. */
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
  let parameters = 0;
  for (const values of weights.parameters.values()) {
    for (const value of values) if (value !== 0) parameters++;
  }
  masks?.click.forEach((layer, index) => {
    const other = masks.conversion[index]!;
    layer.forEach((bit, i) => {
      if (bit === 0 && other[i] === 0) parameters--;
    });
  });
  return {
    parameters,
    embeddingParameters: weights.embeddings.length,
    multiplyAddsPerRow: crossAdds(shape) + layerAdds(shape, masks),
    ...(masks && { connections: describeLayers(shape, masks, unrelatedConversion) }),
  };
}

function crossAdds({ config, crossFields, privateEmbeddingWidth }: NetworkShape): number {
  if (config.kind === 'logistic') return 0;
  const inputs = privateEmbeddingWidth > 0 ? TASKS.length : 1;
  return inputs * crossFields.length ** 2 * config.embeddingWidth;
}

function layerAdds(
  { config, inputWidth, layerWidths, parameters, privateEmbeddingWidth }: NetworkShape,
  masks?: TaskMasks,
): number {
  const stackAdds = (widths: readonly number[]) =>
    widths.slice(1).reduce((sum, width, layer) => sum + width * widths[layer]!, 0);
  if (config.kind === 'logistic') {
    return parameters.reduce((sum, { shape }) => sum + shape.reduce((size, length) => size * length, 1), 0);
  }
  if (config.kind === 'ncs') {
    // A layer is computed once as long as both tasks have had the same input and masks up to it.
    let copies = privateEmbeddingWidth > 0 ? TASKS.length : 1;
    const trunk = layerWidths.slice(1).reduce((sum, width, layer) => {
      if (masks !== undefined && Buffer.compare(masks.click[layer]!, masks.conversion[layer]!) !== 0) {
        copies = TASKS.length;
      }
      return sum + copies * width * layerWidths[layer]!;
    }, 0);
    return trunk + TASKS.length * layerWidths.at(-1)!;
  }
  const experts = new Set(TASKS.flatMap((task) => expertsOf(task, config)));
  const seen = config.shared + config.perTask;
  const mixed = config.hidden.at(-1)!;
  const gates = seen > 1 ? TASKS.length * seen * (inputWidth + mixed) : 0;
  const towers = TASKS.length * stackAdds([mixed, ...config.towers]);
  const heads = TASKS.length * (config.towers.at(-1) ?? mixed);
  return experts.size * stackAdds([inputWidth, ...config.hidden]) + gates + towers + heads;
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
