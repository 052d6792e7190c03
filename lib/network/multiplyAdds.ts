import { TASKS } from '../base/tasks.ts';
import { expertsOf } from './expertParameters.ts';
import type { NetworkShape } from './networkShape.ts';
import type { TaskMasks } from './taskMasks.ts';

/** Multiply-adds of the matrix products for one row and both tasks, as trained: masks save none. */
export function multiplyAddsPerRow(shape: NetworkShape, masks: TaskMasks | undefined): number {
  return crossAdds(shape) + layerAdds(shape, masks);
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
