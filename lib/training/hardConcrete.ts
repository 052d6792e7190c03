import type { RandomStream } from '../base/randomStream.ts';
import { type PerTask, TASKS, type Task } from '../base/tasks.ts';
import type { NetworkShape } from '../network/networkShape.ts';
import { layerSizes } from '../network/taskMasks.ts';
import type { GraphBuilder, Value } from '../onnx/graphBuilder.ts';
import { add, clip, log, multiply, sigmoid, subtract, sum } from '../onnx/ops.ts';
import { DENSITY_PENALTY } from './tensorNames.ts';

/**
 * Logit of a connection over its score: Adam moves a score by about a learning rate per step, while logits must cross
 * several units.
 */
const LOGIT_SCALE = 50;
/** Temperature and stretch of the concrete distribution (Louizos et al. 2018, section 2.2). */
const TEMPERATURE = 2 / 3;
const LOW = -0.1;
const HIGH = 1.1;
const KEEP_SHIFT = -TEMPERATURE * Math.log(-LOW / HIGH);
/** Keeps the noise's logit finite. */
const LEAST_NOISE = 1e-6;

/**
 * A mask drawn from the hard concrete distribution: clip(x (high - low) + low, 0, 1) of
 * x = sigmoid((log u - log(1 - u) + S) / temperature) (Louizos et al. 2018, equations 10 to 12).
 */
export function hardConcrete(graph: GraphBuilder, score: Value, noise: Value): Value {
  const noiseLogit = subtract(graph, log(graph, noise), log(graph, subtract(graph, graph.scalar(1), noise)));
  const logit = add(graph, noiseLogit, multiply(graph, score, graph.scalar(LOGIT_SCALE)));
  const drawn = sigmoid(graph, multiply(graph, logit, graph.scalar(1 / TEMPERATURE)));
  const stretched = add(graph, multiply(graph, drawn, graph.scalar(HIGH - LOW)), graph.scalar(LOW));
  return clip(graph, stretched, 0, 1);
}

/**
 * The penalty's factor times the mean of P(mask > 0) over all connections (equation 13).
 * @param scores of every layer and task
 */
export function densityPenalty(graph: GraphBuilder, scores: readonly Value[], connections: number): Value {
  const kept = scores
    .map((score) => {
      const logit = multiply(graph, score, graph.scalar(LOGIT_SCALE));
      return sum(graph, sigmoid(graph, add(graph, logit, graph.scalar(KEEP_SHIFT))));
    })
    .reduce((total, part) => add(graph, total, part));
  return multiply(
    graph,
    kept,
    multiply(graph, graph.input(DENSITY_PENALTY, []), graph.scalar(1 / connections)),
  );
}

/** Mean of P(mask > 0) over all connections of both tasks. */
export function expectedDensity(scores: PerTask<readonly Float32Array[]>): number {
  let kept = 0;
  let count = 0;
  for (const layer of [...scores.click, ...scores.conversion]) {
    for (const score of layer) kept += 1 / (1 + Math.exp(-(LOGIT_SCALE * score + KEEP_SHIFT)));
    count += layer.length;
  }
  return kept / count;
}

/**
 * Scores as they start: a logit of 1 and a layer's magnitudes, scaled to a mean square of 1, on top. Every connection
 * is kept with a probability of at least 93%, larger weights with a higher one, in layers of any width.
 * @param magnitudes of the layer's initial weights
 */
export function initialLogitScores(magnitudes: Float32Array): Float32Array {
  const meanSquare = magnitudes.reduce((total, value) => total + value ** 2, 0) / magnitudes.length;
  const scale = meanSquare === 0 ? 0 : 1 / Math.sqrt(meanSquare);
  return magnitudes.map((value) => (1 + value * scale) / LOGIT_SCALE);
}

/** Uniform noise for one step, in (0, 1): for each task, per layer a number for every connection. */
export function drawNoise(shape: NetworkShape, random: RandomStream): PerTask<readonly Float32Array[]> {
  const noise: Record<Task, Float32Array[]> = { click: [], conversion: [] };
  for (const size of layerSizes(shape)) {
    for (const task of TASKS) {
      const values = new Float32Array(size);
      for (let i = 0; i < size; i++) {
        values[i] = LEAST_NOISE + (1 - 2 * LEAST_NOISE) * random.nextUniform();
      }
      noise[task].push(values);
    }
  }
  return noise;
}
