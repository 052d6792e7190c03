import { elementwise } from './elementwiseOps.ts';
import type { GraphBuilder } from './graphBuilder.ts';
import { elementTypeCode } from './onnxSchema.ts';
import { intAttribute, type Value } from './opDefinition.ts';

export interface AdamOptions {
  /** Decay of the first moment; default 0.9. */
  readonly beta1?: number;
  /** Decay of the second moment; default 0.999. */
  readonly beta2?: number;
  /** Added to the root of the second moment; default 1e-8. */
  readonly epsilon?: number;
}

export interface AdamUpdateOptions extends AdamOptions {
  /** By parameter: float32 of its shape, 1 where it may change; where it is 0, weight and moments keep their bits. */
  readonly updateMasks?: ReadonlyMap<Value, Value>;
}

/** What one step reads and writes for a parameter: feed each `next` back under the other name. */
export interface AdamNames {
  readonly parameter: string;
  readonly firstMoment: string;
  readonly secondMoment: string;
  readonly nextParameter: string;
  readonly nextFirstMoment: string;
  readonly nextSecondMoment: string;
}

export function adamNames(parameter: string): AdamNames {
  return {
    parameter,
    firstMoment: `${parameter}.m`,
    secondMoment: `${parameter}.v`,
    nextParameter: `${parameter}.next`,
    nextFirstMoment: `${parameter}.m.next`,
    nextSecondMoment: `${parameter}.v.next`,
  };
}

/** Name of the scalar input that takes `adamStepSize`. */
export const stepSizeInput = 'stepSize';

/**
 * Adds one Adam step (Kingma and Ba 2015, in the order of section 2's last paragraph, as TensorFlow 1) for every graph
 * parameter in `gradients`; other entries are left to the caller.
 * m' = b1 m + (1 - b1) g;  v' = b2 v + (1 - b2) g^2;  w' = w - stepSize m' / (sqrt(v') + epsilon).
 * Inputs and outputs: `adamNames` of each parameter, and stepSize.
 */
export function addAdamUpdate(
  graph: GraphBuilder,
  gradients: ReadonlyMap<Value, Value>,
  { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, updateMasks = new Map() }: AdamUpdateOptions = {},
): void {
  const stepSize = graph.input(stepSizeInput, []);
  const combine = (opType: string, ...inputs: readonly Value[]): Value =>
    elementwise(graph, opType, ...inputs);
  for (const parameter of graph.parameters.values()) {
    const gradient = gradients.get(parameter);
    if (gradient === undefined) continue;
    const { name, shape } = parameter;
    const names = adamNames(name);
    const m = graph.input(names.firstMoment, shape);
    const v = graph.input(names.secondMoment, shape);
    const nextM = combine(
      'Add',
      combine('Mul', m, graph.scalar(beta1)),
      combine('Mul', gradient, graph.scalar(1 - beta1)),
    );
    const squared = combine('Mul', gradient, gradient);
    const nextV = combine(
      'Add',
      combine('Mul', v, graph.scalar(beta2)),
      combine('Mul', squared, graph.scalar(1 - beta2)),
    );
    const scale = combine('Add', combine('Sqrt', nextV), graph.scalar(epsilon));
    const change = combine('Div', combine('Mul', nextM, stepSize), scale);
    const nextW = combine('Sub', parameter, change);

    const mask = updateMasks.get(parameter);
    const mayChange =
      mask &&
      graph.node('Cast', [mask], {
        shape,
        elementType: 'bool',
        attributes: [intAttribute('to', elementTypeCode('bool'))],
      });
    // A choice, not a product with the mask: the kept numbers stay the same bit for bit, and a NaN can't get through.
    const keep = (next: Value, old: Value): Value =>
      mayChange ? graph.node('Where', [mayChange, next, old], { shape }) : next;
    graph.output(names.nextParameter, keep(nextW, parameter));
    graph.output(names.nextFirstMoment, keep(nextM, m));
    graph.output(names.nextSecondMoment, keep(nextV, v));
  }
}

/**
 * Step size with Adam's bias correction: learningRate * sqrt(1 - beta2^step) / (1 - beta1^step).
 * `step` counts from 1.
 */
export function adamStepSize(
  learningRate: number,
  step: number,
  { beta1 = 0.9, beta2 = 0.999 }: AdamOptions = {},
): number {
  return (learningRate * Math.sqrt(1 - beta2 ** step)) / (1 - beta1 ** step);
}
