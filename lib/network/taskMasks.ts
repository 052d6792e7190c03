import { Ncs4cvrError } from '../base/errors.ts';
import { type PerTask, perTask, TASKS } from '../base/tasks.ts';
import { type NetworkShape, trunkLayers } from './networkShape.ts';

/**
 * The sub-network of each task: per trunk layer a 0/1 array of the weight's shape, row-major. A connection in both
 * masks is shared, in one is private, in none is dead (method section 0).
 */
export type TaskMasks = PerTask<readonly Uint8Array[]>;

/** Masks that share every connection: plain hard sharing. */
export function allOnesMasks(shape: NetworkShape): TaskMasks {
  return perTask(() => layerSizes(shape).map((size) => new Uint8Array(size).fill(1)));
}

/** @throws Ncs4cvrError MASKS_INVALID when a mask has another size than its layer or holds anything but 0 and 1 */
export function checkMasks(masks: TaskMasks, shape: NetworkShape): void {
  const sizes = layerSizes(shape);
  for (const task of TASKS) {
    if (masks[task].length !== sizes.length) {
      throw invalid(task, `${sizes.length} layers`, `${masks[task].length}`);
    }
    masks[task].forEach((mask, layer) => {
      if (mask.length !== sizes[layer]) {
        throw invalid(task, `${sizes[layer]} connections in layer ${layer}`, `${mask.length}`);
      }
      const wrong = mask.find((bit) => bit > 1);
      if (wrong !== undefined) throw invalid(task, `0 or 1 in layer ${layer}`, `${wrong}`);
    });
  }
}

/** Connections of every trunk layer. */
export function layerSizes(shape: NetworkShape): number[] {
  return trunkLayers(shape).map(([inputs, outputs]) => inputs * outputs);
}

function invalid(task: string, expected: string, found: string): Ncs4cvrError {
  return new Ncs4cvrError('MASKS_INVALID', `the ${task} mask doesn't fit the trunk`, { expected, found });
}

/** W * M: the weights of a layer as a task computes with them. */
export function applyMask(weights: Float32Array, mask: Uint8Array): Float32Array {
  return weights.map((weight, i) => (mask[i] === 0 ? 0 : weight));
}
