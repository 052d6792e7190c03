import { type PerTask, perTask, TASKS } from '../base/tasks.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';
import { expertsOf, layerBiasName, layerWeightName } from '../network/expertParameters.ts';
import type { NcsNetworkConfig } from '../network/networkConfig.ts';
import type { ModelWeights } from '../network/networkShape.ts';
import {
  headBiasName,
  headWeightName,
  type NetworkShape,
  networkShape,
  trunkBiasName,
  trunkWeightName,
} from '../network/networkShape.ts';
import { applyMask, type TaskMasks } from '../network/taskMasks.ts';
import { expertsConfig } from './arms.ts';

/**
 * Two networks that were trained apart as one that scores both tasks: an expert a task on embeddings of its own,
 * [R, 2E], the click model's columns first. Masks are folded in. Exact: nothing is rounded anew.
 */
export function combineTasks(
  config: NcsNetworkConfig,
  layout: FeatureLayout,
  weights: PerTask<ModelWeights>,
  masks: TaskMasks | undefined,
): { shape: NetworkShape; weights: ModelWeights } {
  const { embeddingWidth, hidden } = config;
  const combined = expertsConfig(config, { perTask: 1, embeddings: 'perTask' });
  const shape = networkShape(combined, layout);
  const embeddings = new Float32Array(layout.embeddingRowCount * shape.embeddingWidth);
  const parameters = new Map<string, Float32Array>();
  TASKS.forEach((task, part) => {
    const own = weights[task];
    for (let row = 0; row < layout.embeddingRowCount; row++) {
      const values = own.embeddings.subarray(row * embeddingWidth, (row + 1) * embeddingWidth);
      embeddings.set(values, row * shape.embeddingWidth + part * embeddingWidth);
    }
    const expert = expertsOf(task, combined)[0]!;
    hidden.forEach((_, layer) => {
      const mask = masks?.[task][layer];
      const weight = own.parameters.get(trunkWeightName(layer))!;
      parameters.set(layerWeightName(expert, layer), mask === undefined ? weight : applyMask(weight, mask));
      parameters.set(layerBiasName(expert, layer), own.parameters.get(trunkBiasName(layer))!);
    });
    for (const name of [headWeightName(task), headBiasName(task)]) {
      parameters.set(name, own.parameters.get(name)!);
    }
  });
  return { shape, weights: { embeddings, parameters } };
}

/** Masks of one network for each task, to be trained alone. */
export function maskOfBoth(mask: readonly Uint8Array[]): TaskMasks {
  return perTask(() => mask);
}
