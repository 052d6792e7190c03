import { type PerTask, perTask, TASKS, type Task } from '../base/tasks.ts';
import type { ModelWeights } from '../network/networkShape.ts';
import { type NetworkShape, trunkWeightName } from '../network/networkShape.ts';
import { secondMomentName } from '../onnx/adam.ts';

/** How a mask gets a gradient while masks are learnt (method, appendix C). */
export const MASK_ESTIMATORS = ['topD', 'hardConcrete'] as const;
export type MaskEstimator = (typeof MASK_ESTIMATORS)[number];

/** The score of every connection of a layer for a task, a parameter that the graph's Adam moves. */
export const scoreName = (task: Task, layer: number): string => `${task}.score.${layer}`;
/** Moving mean of the product of both tasks' gradients of a connection's score. */
export const agreementName = (layer: number): string => `agreement.${layer}`;
export const nextAgreementName = (layer: number): string => `agreement.${layer}.next`;

/** What is read of a training step: its values by name. */
interface StepValues {
  read(name: string): Float32Array;
}

/** Input and output width of every trunk layer. */
export function trunkLayers({ layerWidths }: NetworkShape): (readonly [number, number])[] {
  return layerWidths.slice(1).map((width, layer) => [layerWidths[layer]!, width] as const);
}

/** Magnitudes of the trunk's weights per layer, where straight-through scores start. */
export function trunkMagnitudes(shape: NetworkShape, { parameters }: ModelWeights): Float32Array[] {
  return trunkLayers(shape).map((_, layer) => parameters.get(trunkWeightName(layer))!.map(Math.abs));
}

/** Every connection's score for each task, per layer. Views. */
export function maskScores(step: StepValues, shape: NetworkShape): PerTask<readonly Float32Array[]> {
  return perTask((task) => trunkLayers(shape).map((_, layer) => step.read(scoreName(task, layer))));
}

/**
 * Per layer and connection, the cosine in [-1, 1] of both tasks' gradients over the last thousand steps or so, from
 * Adam's own second moments; 0 where a task had no gradient. Under hard concrete masks these moments have the density
 * penalty's gradient in them too: signs are right, sizes too small while it is on.
 */
export function gradientCosines(step: StepValues, shape: NetworkShape): Float32Array[] {
  return trunkLayers(shape).map((_, layer) => {
    const [click, conversion] = TASKS.map((task) => step.read(secondMomentName(scoreName(task, layer))));
    return step.read(agreementName(layer)).map((product, i) => {
      const norm = Math.sqrt(click![i]! * conversion![i]!);
      return norm === 0 ? 0 : Math.max(-1, Math.min(1, product / norm));
    });
  });
}
