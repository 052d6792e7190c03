import type { GraphBuilder } from '../onnx/graphBuilder.ts';
import type { Value } from '../onnx/opDefinition.ts';
import {
  add,
  clip,
  divide,
  exp,
  log,
  multiply,
  negate,
  sigmoid,
  softplus,
  square,
  stopGradient,
  subtract,
  sum,
} from '../onnx/ops.ts';

/**
 * Losses on logits. B rows in the batch; logits s, labels y and weights w are float32 [B, 1]; p = sigmoid(s).
 * Each returns the scalar sum(w * l). For a mean, feed weights that sum to 1. A row of weight 0 counts for nothing, but
 * its label must still be a finite number.
 */
export type Loss = (graph: GraphBuilder, logits: Value, labels: Value, weights: Value) => Value;

/**
 * Binary cross-entropy, for labels in [0, 1]: l = -y log p - (1 - y) log(1 - p) = softplus(s) - s y; dl/ds = p - y.
 * Exact to about 1e-6 * max(1, |s|) in float32; never overflows.
 */
export const binaryCrossEntropy: Loss = (graph, logits, labels, weights) =>
  weightedSum(graph, subtract(graph, softplus(graph, logits), multiply(graph, logits, labels)), weights);

export interface FocalOptions {
  /** Weight of the positive rows, in [0, 1]; the negative ones get 1 - alpha. */
  readonly alpha: number;
  /** How strongly rows that are already right are damped, >= 0; with 0 it is cross-entropy weighted by alpha. */
  readonly gamma: number;
}

/**
 * Focal loss (Lin et al. 2017, equation 5): l = -alpha (1 - p)^gamma log p for y = 1,
 * -(1 - alpha) p^gamma log(1 - p) for y = 0, and the mix of both by y between them. The scores it trains aren't
 * calibrated probabilities.
 */
export function focalLoss({ alpha, gamma }: FocalOptions): Loss {
  return (graph, logits, labels, weights) => {
    const minusLogP = softplus(graph, negate(graph, logits));
    const minusLogQ = softplus(graph, logits);
    // p^gamma as exp(gamma log p): its gradient stays finite for every gamma, where a power of p = 0 would not.
    const damped = (minusLog: Value, minusLogOther: Value): Value =>
      multiply(graph, exp(graph, multiply(graph, minusLogOther, graph.scalar(-gamma))), minusLog);
    const positive = multiply(graph, damped(minusLogP, minusLogQ), graph.scalar(alpha));
    const negative = multiply(graph, damped(minusLogQ, minusLogP), graph.scalar(1 - alpha));
    const rows = add(
      graph,
      multiply(graph, labels, positive),
      multiply(graph, subtract(graph, graph.scalar(1), labels), negative),
    );
    return weightedSum(graph, rows, weights);
  };
}

/**
 * Squared error of the probability: l = (p - y)^2 with y clipped to [0, 1]; dl/ds = 2 (p - y) p (1 - p).
 * The paper's CVR loss is its mean over the rows with y > 0: weights 1 / n there and 0 elsewhere.
 */
export const maskedSquaredError: Loss = (graph, logits, labels, weights) =>
  weightedSum(
    graph,
    square(graph, subtract(graph, sigmoid(graph, logits), clip(graph, labels, 0, 1))),
    weights,
  );

/**
 * Binary cross-entropy of the product of two probabilities, p = sigmoid(s_1) sigmoid(s_2), such as pCTCVR:
 * -y log p - (1 - y) log(1 - p), with 1 - p not below 1e-7.
 */
export function productCrossEntropy(
  graph: GraphBuilder,
  [first, second]: readonly [Value, Value],
  labels: Value,
  weights: Value,
): Value {
  const minusLogP = add(graph, softplus(graph, negate(graph, first)), softplus(graph, negate(graph, second)));
  const product = multiply(graph, sigmoid(graph, first), sigmoid(graph, second));
  const logQ = log(graph, clip(graph, subtract(graph, graph.scalar(1), product), 1e-7, 1));
  const rows = subtract(
    graph,
    multiply(graph, labels, minusLogP),
    multiply(graph, subtract(graph, graph.scalar(1), labels), logQ),
  );
  return weightedSum(graph, rows, weights);
}

/**
 * Self-normalised inverse propensities (SNIPS): each weight times min(1 / pCTR, max), scaled so that their sum stays;
 * no gradient flows into the click logits. 1 / sigmoid(s) = 1 + exp(-s).
 */
export function propensityWeights(
  graph: GraphBuilder,
  clickLogits: Value,
  weights: Value,
  max: number,
): Value {
  const inverse = add(graph, exp(graph, negate(graph, clip(graph, clickLogits, -30, 30))), graph.scalar(1));
  const raw = stopGradient(graph, multiply(graph, weights, clip(graph, inverse, 1, max)));
  // The small number keeps a batch without clicks, whose weights are all 0, from dividing by 0.
  const scale = divide(graph, sum(graph, weights), add(graph, sum(graph, raw), graph.scalar(1e-12)));
  return multiply(graph, raw, scale);
}

function weightedSum(graph: GraphBuilder, rows: Value, weights: Value): Value {
  return sum(graph, multiply(graph, rows, weights));
}
