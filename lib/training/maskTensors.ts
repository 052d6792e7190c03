import type { Tensor } from 'onnxruntime-node';
import { TASKS } from '../base/tasks.ts';
import type { NetworkShape } from '../network/networkShape.ts';
import { checkMasks, type TaskMasks } from '../network/taskMasks.ts';
import { float32Tensor } from '../onnx/session.ts';
import { maskInput } from './networkGraphs.ts';

/**
 * Mask inputs of a training or forward graph; none when every connection is shared.
 * @throws Ncs4cvrError MASKS_INVALID
 */
export function maskTensors(shape: NetworkShape, masks: TaskMasks | undefined): Record<string, Tensor> {
  const tensors: Record<string, Tensor> = {};
  if (masks === undefined) return tensors;
  checkMasks(masks, shape);
  for (const task of TASKS) {
    masks[task].forEach((mask, layer) => {
      const dims = shape.layerWidths.slice(layer, layer + 2);
      tensors[maskInput(task, layer)] = float32Tensor(Float32Array.from(mask), dims);
    });
  }
  return tensors;
}
