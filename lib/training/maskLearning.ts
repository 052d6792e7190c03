import type { Tensor } from 'onnxruntime-node';
import { type PerTask, perTask, TASKS } from '../base/tasks.ts';
import {
  type ModelWeights,
  type NetworkShape,
  trunkLayers,
  trunkWeightName,
} from '../network/networkShape.ts';
import { float32Tensor, scalarTensor } from '../onnx/session.ts';
import { AdamState } from './adamState.ts';
import type { Feeds } from './feeds.ts';
import { initialLogitScores } from './hardConcrete.ts';
import { agreementName, DENSITY_PENALTY, nextAgreementName, noiseInput, scoreName } from './tensorNames.ts';

/** How a mask gets a gradient while masks are learned (method, appendix C). */
export const MASK_ESTIMATORS = ['topD', 'hardConcrete'] as const;
export type MaskEstimator = (typeof MASK_ESTIMATORS)[number];

/**
 * What a training step that learns masks keeps beside the weights: a score per task and connection with its Adam
 * moments, and how far the tasks' gradients of a score agree. Arrays are per layer, of the shape of its weight.
 */
export class MaskLearning {
  readonly estimator: MaskEstimator;
  readonly #layers: readonly (readonly [number, number])[];
  readonly #scores: AdamState;
  /** Everything else that the graph is fed. */
  readonly #inputs: Record<string, Tensor> = {};

  /** Scores start at the magnitudes of the trunk's weights (topD), or at logits made of them. */
  constructor(shape: NetworkShape, { parameters }: ModelWeights, estimator: MaskEstimator) {
    this.estimator = estimator;
    this.#layers = trunkLayers(shape);
    const scores = this.#layers.flatMap((widths, layer) => {
      const magnitudes = parameters.get(trunkWeightName(layer))!.map(Math.abs);
      const values = estimator === 'topD' ? magnitudes : initialLogitScores(magnitudes);
      this.#inputs[agreementName(layer)] = float32Tensor(new Float32Array(values.length), widths);
      return TASKS.map((task) => ({ name: scoreName(task, layer), shape: widths, values }));
    });
    this.#scores = new AdamState(scores);
  }

  get feeds(): Feeds {
    return { ...this.#scores.feeds, ...this.#inputs };
  }

  /** Takes a step's results on. */
  take(outputs: Readonly<Record<string, Tensor>>): void {
    this.#scores.take(outputs);
    for (const layer of this.#layers.keys()) {
      this.#inputs[agreementName(layer)] = outputs[nextAgreementName(layer)]!;
    }
  }

  /** Every connection's score for each task. Views. */
  get scores(): PerTask<readonly Float32Array[]> {
    const values = this.#scores.parameters;
    return perTask((task) => this.#layers.map((_, layer) => values.get(scoreName(task, layer))!));
  }

  /**
   * For every connection, the cosine in [-1, 1] of both tasks' gradients over the last thousand steps or so, from
   * Adam's own second moments; 0 where a task had no gradient. Under hard concrete masks these moments have the
   * density penalty's gradient in them too: signs are right, sizes too small while it is on.
   */
  gradientCosines(): Float32Array[] {
    return this.#layers.map((_, layer) => {
      const { click, conversion } = perTask((task) => this.#scores.secondMoment(scoreName(task, layer)));
      const products = this.#inputs[agreementName(layer)]!.data as Float32Array;
      return products.map((product, i) => {
        const norm = Math.sqrt(click[i]! * conversion[i]!);
        return norm === 0 ? 0 : Math.max(-1, Math.min(1, product / norm));
      });
    });
  }

  /** Hard concrete masks only: factor on the mean probability of a connection to be kept, from the next step on. */
  setDensityPenalty(factor: number): void {
    this.#inputs[DENSITY_PENALTY] = scalarTensor(factor);
  }

  /** Hard concrete masks only: what the next step's masks are drawn from (`drawNoise`). */
  setNoise(noise: PerTask<readonly Float32Array[]>): void {
    for (const [layer, widths] of this.#layers.entries()) {
      for (const task of TASKS)
        this.#inputs[noiseInput(task, layer)] = float32Tensor(noise[task][layer]!, widths);
    }
  }
}
