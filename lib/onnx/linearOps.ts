import { elementwise, reduceNode } from './elementwiseOps.ts';
import {
  type Binary,
  intAttribute,
  intsAttribute,
  type NoAttributes,
  type NodeEmitter,
  type OpDefinition,
  type Unary,
  type Value,
} from './opDefinition.ts';
import { formatShape, normaliseAxis, type Shape, sameShape, shapeMismatch, withDimension } from './shapes.ts';

/** Products and sums along axes. */
export const linearOps = {
  /** [N, K] x [K, M] -> [N, M], or a batch of them: [B, N, K] x [B, K, M] -> [B, N, M]. */
  matmul: {
    gradient: 'exact',
    forward(emitter, [a, b]) {
      const rank = a.shape.length;
      const fits =
        (rank === 2 || rank === 3) &&
        b.shape.length === rank &&
        a.shape[rank - 1] === b.shape[rank - 2] &&
        (rank === 2 || a.shape[0] === b.shape[0]);
      if (!fits) {
        throw shapeMismatch(
          'matmul',
          '[N, K] x [K, M] or [B, N, K] x [B, K, M]',
          formatPair(a.shape, b.shape),
        );
      }
      return matmulNode(emitter, a, b);
    },
    backward(emitter, { inputs: [a, b] }, gradient, inputIndex) {
      if (a.shape.length === 2) {
        // Gemm transposes while it multiplies.
        return inputIndex === 0
          ? emitter.node('Gemm', [gradient, b], { shape: a.shape, attributes: [intAttribute('transB', 1)] })
          : emitter.node('Gemm', [a, gradient], { shape: b.shape, attributes: [intAttribute('transA', 1)] });
      }
      return inputIndex === 0
        ? matmulNode(emitter, gradient, transposeNode(emitter, b))
        : matmulNode(emitter, transposeNode(emitter, a), gradient);
    },
  } satisfies OpDefinition<Binary, NoAttributes>,

  /** Swaps the last two axes. */
  transposeLast: {
    gradient: 'exact',
    forward(emitter, [x]) {
      if (x.shape.length < 2) {
        throw shapeMismatch('transposeLast', 'at least two axes', formatShape(x.shape));
      }
      return transposeNode(emitter, x);
    },
    backward(emitter, _call, gradient) {
      return transposeNode(emitter, gradient);
    },
  } satisfies OpDefinition<Unary, NoAttributes>,

  /** exp(x) / sum(exp(x)) along the last axis. */
  softmax: {
    gradient: 'exact',
    forward(emitter, [x]) {
      const axis = normaliseAxis(-1, x.shape.length);
      return emitter.node('Softmax', [x], { shape: x.shape, attributes: [intAttribute('axis', axis)] });
    },
    backward(emitter, { output }, gradient) {
      const last = output.shape.length - 1;
      const weighted = elementwise(emitter, 'Mul', gradient, output);
      const total = reduceNode(emitter, weighted, [last], withDimension(output.shape, last, 1), true);
      return elementwise(emitter, 'Sub', weighted, elementwise(emitter, 'Mul', output, total));
    },
  } satisfies OpDefinition<Unary, NoAttributes>,

  /** Sum of all elements, a scalar. */
  sum: {
    gradient: 'exact',
    forward(emitter, [x]) {
      return emitter.node('ReduceSum', [x], { shape: [], attributes: [intAttribute('keepdims', 0)] });
    },
    backward(emitter, { inputs: [x] }, gradient) {
      return expandLike(emitter, gradient, x);
    },
  } satisfies OpDefinition<Unary, NoAttributes>,

  /** Sum over some axes, each listed once (negative ones count from the back), which stay with length 1. */
  reduceSum: {
    gradient: 'exact',
    forward(emitter, [x], { axes }) {
      const normalised = axes.map((axis) => normaliseAxis(axis, x.shape.length)).sort((a, b) => a - b);
      // ONNX reads an empty list of axes as "all of them".
      if (normalised.length === 0 || new Set(normalised).size < normalised.length) {
        throw shapeMismatch('reduceSum', 'at least one axis, each once', formatShape(axes));
      }
      const shape = x.shape.map((dimension, axis) => (normalised.includes(axis) ? 1 : dimension));
      return reduceNode(emitter, x, normalised, shape, true);
    },
    backward(emitter, { inputs: [x] }, gradient) {
      return expandLike(emitter, gradient, x);
    },
  } satisfies OpDefinition<Unary, { axes: readonly number[] }>,
};

function matmulNode(emitter: NodeEmitter, a: Value, b: Value): Value {
  return emitter.node('MatMul', [a, b], { shape: [...a.shape.slice(0, -1), ...b.shape.slice(-1)] });
}

function transposeNode(emitter: NodeEmitter, x: Value): Value {
  const swapLast = <T>(items: readonly T[]): T[] => [
    ...items.slice(0, -2),
    ...items.slice(-1),
    ...items.slice(-2, -1),
  ];
  const permutation = swapLast(x.shape.map((_, axis) => axis));
  return emitter.node('Transpose', [x], {
    shape: swapLast(x.shape),
    attributes: [intsAttribute('perm', permutation)],
  });
}

function expandLike(emitter: NodeEmitter, x: Value, like: Value): Value {
  if (sameShape(x.shape, like.shape)) return x;
  const shape = emitter.node('Shape', [like], { shape: [like.shape.length], elementType: 'int64' });
  return emitter.node('Expand', [x, shape], { shape: like.shape });
}

function formatPair(a: Shape, b: Shape): string {
  return `${formatShape(a)} x ${formatShape(b)}`;
}
