import {
  type Binary,
  intAttribute,
  type NoAttributes,
  type NodeEmitter,
  type OpDefinition,
  type Unary,
  type Value,
} from './opDefinition.ts';
import { formatShape, normaliseAxis, type Shape, sameShape, shapeMismatch, withDimension } from './shapes.ts';

/** Rows that move elements or choose some of them. */
export const shapeOps = {
  /** The same elements in row-major order under another shape; at most one named dimension may move to another axis. */
  reshape: {
    gradient: 'exact',
    forward(emitter, [x], { shape }) {
      return reshapeNode(emitter, x, shape);
    },
    backward(emitter, { inputs: [x] }, gradient) {
      return reshapeNode(emitter, gradient, x.shape);
    },
  } satisfies OpDefinition<Unary, { shape: Shape }>,

  /** Joins tensors along an axis; the other axes must agree. */
  concat: {
    gradient: 'exact',
    forward(emitter, inputs, { axis }) {
      const first = inputs[0]?.shape ?? [];
      const index = normaliseAxis(axis, first.length);
      let length = 0;
      for (const { shape } of inputs) {
        const fits =
          shape.length === first.length &&
          sameShape(withDimension(shape, index, 0), withDimension(first, index, 0));
        if (!fits)
          throw shapeMismatch('concat', `${formatShape(first)} but for axis ${index}`, formatShape(shape));
        length += knownLength('concat', shape, index);
      }
      return emitter.node('Concat', inputs, {
        shape: withDimension(first, index, length),
        attributes: [intAttribute('axis', index)],
      });
    },
    backward(emitter, { inputs, attributes: { axis } }, gradient, inputIndex) {
      const index = normaliseAxis(axis, gradient.shape.length);
      const lengths = inputs.map(({ shape }) => knownLength('concat', shape, index));
      const begin = lengths.slice(0, inputIndex).reduce((sum, length) => sum + length, 0);
      return sliceNode(emitter, gradient, index, begin, begin + (lengths[inputIndex] ?? 0));
    },
  } satisfies OpDefinition<readonly Value[], { axis: number }>,

  /** Positions begin (inclusive) to end (exclusive) of an axis of known length. */
  slice: {
    gradient: 'exact',
    forward(emitter, [x], { axis, begin, end }) {
      const index = normaliseAxis(axis, x.shape.length);
      const length = knownLength('slice', x.shape, index);
      if (!(Number.isInteger(begin) && Number.isInteger(end) && 0 <= begin && begin < end && end <= length)) {
        throw shapeMismatch('slice', `0 <= begin < end <= ${length}`, `begin ${begin}, end ${end}`);
      }
      return sliceNode(emitter, x, index, begin, end);
    },
    backward(emitter, { inputs: [x], attributes: { axis, begin, end } }, gradient) {
      const index = normaliseAxis(axis, x.shape.length);
      const after = knownLength('slice', x.shape, index) - end;
      const pads = [...onAxis(x.shape, index, begin), ...onAxis(x.shape, index, after)];
      return emitter.node('Pad', [gradient, emitter.int64(pads)], { shape: x.shape });
    },
  } satisfies OpDefinition<Unary, SliceAttributes>,

  /**
   * The first C rows of x [B, ...], where C is the run-time value of the second input, int64 [1], 0 <= C <= B.
   */
  takeRows: {
    gradient: 'exact',
    forward(emitter, [x, count]) {
      const shape = withDimension(x.shape, normaliseAxis(0, x.shape.length), 'C');
      return emitter.node('Slice', [x, emitter.int64([0]), count, emitter.int64([0])], { shape });
    },
    backward(emitter, { inputs: [x], output }, gradient) {
      const length = (value: Value): Value =>
        emitter.node('Shape', [value], {
          shape: [1],
          elementType: 'int64',
          attributes: [intAttribute('start', 0), intAttribute('end', 1)],
        });
      const missing = emitter.node('Sub', [length(x), length(output)], { shape: [1], elementType: 'int64' });
      const rank = x.shape.length;
      const parts = [emitter.int64(new Array<number>(rank).fill(0)), missing];
      if (rank > 1) parts.push(emitter.int64(new Array<number>(rank - 1).fill(0)));
      const pads = emitter.node('Concat', parts, {
        shape: [2 * rank],
        elementType: 'int64',
        attributes: [intAttribute('axis', 0)],
      });
      return emitter.node('Pad', [gradient, pads], { shape: x.shape });
    },
  } satisfies OpDefinition<Binary, NoAttributes>,

  /** Some distinct columns of x [B, N], in the order given. */
  gatherColumns: {
    gradient: 'exact',
    forward(emitter, [x], { columns }) {
      const [rows, width] = x.shape;
      const fits =
        rows !== undefined &&
        typeof width === 'number' &&
        x.shape.length === 2 &&
        columns.length > 0 &&
        new Set(columns).size === columns.length &&
        columns.every((column) => Number.isInteger(column) && column >= 0 && column < width);
      if (!fits) {
        throw shapeMismatch(
          'gatherColumns',
          `distinct columns of ${formatShape(x.shape)}`,
          formatShape(columns),
        );
      }
      return gatherNode(emitter, x, columns, rows);
    },
    backward(emitter, { inputs: [x], attributes: { columns } }, gradient) {
      const [rows = 1] = x.shape;
      const width = knownLength('gatherColumns', x.shape, 1);
      // A Gather instead of a scatter: columns that weren't taken read the zero column appended to the gradient.
      const inverse = new Array<number>(width).fill(columns.length);
      columns.forEach((column, position) => {
        inverse[column] = position;
      });
      const padded = emitter.node('Pad', [gradient, emitter.int64([0, 0, 0, 1])], {
        shape: [rows, columns.length + 1],
      });
      return gatherNode(emitter, padded, inverse, rows);
    },
  } satisfies OpDefinition<Unary, { columns: readonly number[] }>,

  /**
   * Rows of an embedding table: table [R, E], ids (int32 or int64) [...] -> [..., E].
   * For scoring graphs; training gathers and updates its tables outside the graph.
   */
  gather: {
    gradient: 'unavailable',
    forward(emitter, [table, ids]) {
      const shape = [...ids.shape, ...table.shape.slice(1)];
      return emitter.node('Gather', [table, ids], { shape, attributes: [intAttribute('axis', 0)] });
    },
  } satisfies OpDefinition<Binary, NoAttributes>,
};

/** Exported for the declarations of the op table. */
export interface SliceAttributes {
  readonly axis: number;
  readonly begin: number;
  readonly end: number;
}

function reshapeNode(emitter: NodeEmitter, x: Value, shape: Shape): Value {
  // In Reshape 0 copies the input's length at that axis, and -1 is what is left over.
  const target = shape.map((dimension, axis) => {
    if (typeof dimension === 'number') return dimension;
    return x.shape[axis] === dimension ? 0 : -1;
  });
  const fits = sameElements(x.shape, shape) && target.filter((length) => length === -1).length <= 1;
  if (!fits) {
    throw shapeMismatch('reshape', `as many elements as ${formatShape(x.shape)}`, formatShape(shape));
  }
  return emitter.node('Reshape', [x, emitter.int64(target)], { shape });
}

function sameElements(a: Shape, b: Shape): boolean {
  const known = (shape: Shape): number =>
    shape.reduce<number>((count, length) => (typeof length === 'number' ? count * length : count), 1);
  const named = (shape: Shape): string =>
    shape
      .filter((length) => typeof length === 'string')
      .sort()
      .join();
  return known(a) === known(b) && named(a) === named(b);
}

function sliceNode(emitter: NodeEmitter, x: Value, axis: number, begin: number, end: number): Value {
  return emitter.node('Slice', [x, emitter.int64([begin]), emitter.int64([end]), emitter.int64([axis])], {
    shape: withDimension(x.shape, axis, end - begin),
  });
}

function gatherNode(
  emitter: NodeEmitter,
  x: Value,
  columns: readonly number[],
  rows: number | string,
): Value {
  return emitter.node('Gather', [x, emitter.int64(columns)], {
    shape: [rows, columns.length],
    attributes: [intAttribute('axis', 1)],
  });
}

/** `amount` at one axis, 0 at the others. */
function onAxis(shape: Shape, axis: number, amount: number): number[] {
  return shape.map((_, index) => (index === axis ? amount : 0));
}

function knownLength(operation: string, shape: Shape, axis: number): number {
  const length = shape[axis];
  if (typeof length === 'number') return length;
  throw shapeMismatch(operation, `a known length of axis ${axis}`, formatShape(shape));
}
