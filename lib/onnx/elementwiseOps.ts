import { elementTypeCode } from './onnxSchema.ts';
import {
  type Binary,
  intAttribute,
  type NoAttributes,
  type NodeEmitter,
  type OpCall,
  type OpDefinition,
  type Unary,
  type Value,
} from './opDefinition.ts';
import { broadcastShapes, type Shape } from './shapes.ts';

/** Rows that work on each element by itself; those with two inputs broadcast. */
export const elementwiseOps = {
  add: binary('Add', (emitter, { inputs }, gradient, inputIndex) =>
    sumTo(emitter, gradient, inputs[inputIndex as 0 | 1].shape),
  ),

  subtract: binary('Sub', (emitter, { inputs: [a, b] }, gradient, inputIndex) =>
    inputIndex === 0
      ? sumTo(emitter, gradient, a.shape)
      : sumTo(emitter, elementwise(emitter, 'Neg', gradient), b.shape),
  ),

  multiply: binary('Mul', (emitter, { inputs: [a, b] }, gradient, inputIndex) =>
    inputIndex === 0
      ? sumTo(emitter, elementwise(emitter, 'Mul', gradient, b), a.shape)
      : sumTo(emitter, elementwise(emitter, 'Mul', gradient, a), b.shape),
  ),

  divide: binary('Div', (emitter, { inputs: [a, b], output }, gradient, inputIndex) => {
    const quotient = elementwise(emitter, 'Div', gradient, b);
    if (inputIndex === 0) return sumTo(emitter, quotient, a.shape);
    const product = elementwise(emitter, 'Mul', quotient, output);
    return sumTo(emitter, elementwise(emitter, 'Neg', product), b.shape);
  }),

  negate: unary('Neg', (emitter, _call, gradient) => elementwise(emitter, 'Neg', gradient)),

  /** max(x, 0); its derivative at 0 is 0. */
  relu: unary('Relu', (emitter, { output }, gradient) => {
    // Not Sign, nor Where: ONNX Runtime takes four times as long for either on large batches.
    const active = emitter.node('Greater', [output, emitter.scalar(0)], {
      shape: output.shape,
      elementType: 'bool',
    });
    return elementwise(emitter, 'Mul', gradient, toFloat(emitter, active));
  }),

  /** 1 / (1 + exp(-x)), to about 4e-7 of its value for every x. */
  sigmoid: {
    gradient: 'exact',
    forward(emitter, [x]) {
      // As exp(-log(1 + exp(-x))). ONNX Runtime's Sigmoid errs by up to 1e-7: 0.03% of p = 1e-4, all of p = 1e-8.
      const minusLog = elementwise(emitter, 'Softplus', elementwise(emitter, 'Neg', x));
      return elementwise(emitter, 'Exp', elementwise(emitter, 'Neg', minusLog));
    },
    backward(emitter, { output }, gradient) {
      const complement = elementwise(emitter, 'Sub', emitter.scalar(1), output);
      const slope = elementwise(emitter, 'Mul', output, complement);
      return elementwise(emitter, 'Mul', gradient, slope);
    },
  } satisfies OpDefinition<Unary, NoAttributes>,

  /** log(1 + exp(x)), without overflow. */
  softplus: unary('Softplus', (emitter, { inputs: [x] }, gradient) =>
    elementwise(emitter, 'Mul', gradient, elementwise(emitter, 'Sigmoid', x)),
  ),

  exp: unary('Exp', (emitter, { output }, gradient) => elementwise(emitter, 'Mul', gradient, output)),

  log: unary('Log', (emitter, { inputs: [x] }, gradient) => elementwise(emitter, 'Div', gradient, x)),

  /** min(max(x, min), max); the gradient passes where min <= x <= max. */
  clip: {
    gradient: 'exact',
    forward(emitter, [x], { min, max }) {
      return elementwise(emitter, 'Clip', x, emitter.scalar(min), emitter.scalar(max));
    },
    backward(emitter, { inputs: [x], output }, gradient) {
      const unchanged = emitter.node('Equal', [x, output], { shape: x.shape, elementType: 'bool' });
      return elementwise(emitter, 'Mul', gradient, toFloat(emitter, unchanged));
    },
  } satisfies OpDefinition<Unary, { min: number; max: number }>,

  /** The same value, taken as a constant by reverse mode. */
  stopGradient: {
    gradient: 'stopped',
    forward(emitter, [x]) {
      return emitter.node('Identity', [x], x);
    },
  } satisfies OpDefinition<Unary, NoAttributes>,
};

/** The inverse of broadcasting: sums the gradient over the axes along which an input of that shape was repeated. */
function sumTo(emitter: NodeEmitter, gradient: Value, shape: Shape): Value {
  const leading = gradient.shape.length - shape.length;
  const repeated = shape.flatMap((dimension, axis) =>
    dimension === 1 && gradient.shape[axis + leading] !== 1 ? [axis + leading] : [],
  );
  let sum = gradient;
  if (repeated.length > 0) {
    const kept = gradient.shape.map((dimension, axis) => (repeated.includes(axis) ? 1 : dimension));
    sum = reduceNode(emitter, sum, repeated, kept, true);
  }
  if (leading > 0) {
    const axes = Array.from({ length: leading }, (_, axis) => axis);
    sum = reduceNode(emitter, sum, axes, shape, false);
  }
  return sum;
}

/** A ReduceSum node over `axes`; `shape` is the result's. */
export function reduceNode(
  emitter: NodeEmitter,
  x: Value,
  axes: readonly number[],
  shape: Shape,
  keepDimensions: boolean,
): Value {
  return emitter.node('ReduceSum', [x, emitter.int64(axes)], {
    shape,
    attributes: [intAttribute('keepdims', keepDimensions ? 1 : 0)],
  });
}

/** A node whose float32 result has the broadcast shape of its inputs. */
export function elementwise(emitter: NodeEmitter, opType: string, ...inputs: readonly Value[]): Value {
  const shape = inputs.map((input) => input.shape).reduce(broadcastShapes);
  return emitter.node(opType, inputs, { shape });
}

/** 1 where the boolean is true, 0 elsewhere. */
function toFloat(emitter: NodeEmitter, flags: Value): Value {
  return emitter.node('Cast', [flags], {
    shape: flags.shape,
    attributes: [intAttribute('to', elementTypeCode('float32'))],
  });
}

function unary(
  opType: string,
  backward: (emitter: NodeEmitter, call: OpCall<Unary, NoAttributes>, gradient: Value) => Value,
): OpDefinition<Unary, NoAttributes> {
  return { gradient: 'exact', forward: (emitter, [x]) => elementwise(emitter, opType, x), backward };
}

function binary(
  opType: string,
  backward: (
    emitter: NodeEmitter,
    call: OpCall<Binary, NoAttributes>,
    gradient: Value,
    inputIndex: number,
  ) => Value,
): OpDefinition<Binary, NoAttributes> {
  return { gradient: 'exact', forward: (emitter, [a, b]) => elementwise(emitter, opType, a, b), backward };
}
