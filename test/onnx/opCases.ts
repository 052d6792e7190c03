import type { OpName } from '../../lib/onnx/ops.ts';
import * as ops from '../../lib/onnx/ops.ts';
import type { CheckCase, Tensor } from './gradientCheck.ts';

/** A case of one op: its graph, and the same computation in plain TypeScript. */
export interface OpCase extends CheckCase {
  readonly title: string;
  reference(inputs: readonly Tensor[]): Tensor;
}

/** Smooth, distinct numbers in (-1.4, 1.4), none closer than 0.04 to 0 or 1: away from the kinks of relu and clip. */
export function tensor(shape: readonly number[], seed = 0): Tensor {
  const length = shape.reduce((count, dimension) => count * dimension, 1);
  const data = Array.from({ length }, (_, i) => {
    const x = 1.4 * Math.sin(1.7 * i + 2.3 * seed + 0.7);
    const gap = [0, 0.5, 1, -0.5, -1].find((kink) => Math.abs(x - kink) < 0.04);
    return gap === undefined ? x : gap + 0.05;
  });
  return { shape, data };
}

function positive(shape: readonly number[], seed = 0): Tensor {
  const { data } = tensor(shape, seed);
  return { shape, data: data.map((x) => 0.4 + Math.abs(x)) };
}

function named(x: Tensor, dimensions: readonly (string | number)[]) {
  return { ...x, dimensions };
}

function map(f: (x: number) => number) {
  return ([x]: readonly Tensor[]): Tensor => ({ shape: x!.shape, data: x!.data.map(f) });
}

/** Position in row-major order -> index along each axis, and back. */
function unravel(position: number, shape: readonly number[]): number[] {
  const index: number[] = [];
  let rest = position;
  for (const length of [...shape].reverse()) {
    index.unshift(rest % length);
    rest = Math.floor(rest / length);
  }
  return index;
}

function at(x: Tensor, index: readonly number[]): number {
  return x.data[x.shape.reduce((position, length, axis) => position * length + index[axis]!, 0)]!;
}

function fill(shape: readonly number[], f: (index: number[]) => number): Tensor {
  const length = shape.reduce((count, dimension) => count * dimension, 1);
  return { shape, data: Array.from({ length }, (_, position) => f(unravel(position, shape))) };
}

function broadcast(shape: readonly number[], f: (a: number, b: number) => number) {
  return ([a, b]: readonly Tensor[]): Tensor => {
    const read = (x: Tensor, index: readonly number[]) =>
      at(
        x,
        index.slice(index.length - x.shape.length).map((i, axis) => (x.shape[axis] === 1 ? 0 : i)),
      );
    return fill(shape, (index) => f(read(a!, index), read(b!, index)));
  };
}

const broadcastPairs: readonly { a: number[]; b: number[]; result: number[] }[] = [
  { a: [2, 3], b: [2, 3], result: [2, 3] },
  { a: [2, 3], b: [3], result: [2, 3] },
  { a: [3], b: [2, 3], result: [2, 3] },
  { a: [2, 1], b: [2, 3], result: [2, 3] },
  { a: [2, 3], b: [], result: [2, 3] },
  { a: [2, 1, 3], b: [4, 1], result: [2, 4, 3] },
  { a: [1], b: [1, 1], result: [1, 1] },
];

function binaryCases(
  op: 'add' | 'subtract' | 'multiply' | 'divide',
  f: (a: number, b: number) => number,
): OpCase[] {
  return broadcastPairs.map(({ a, b, result }) => ({
    title: `[${a}] with [${b}]`,
    inputs: [tensor(a, 1), op === 'divide' ? positive(b, 2) : tensor(b, 2)],
    build: (graph, [x, y]) => graph.apply(op, [x!, y!], {}),
    reference: broadcast(result, f),
  }));
}

function unaryCase(
  op: 'negate' | 'relu' | 'sigmoid' | 'softplus' | 'exp' | 'log',
  f: (x: number) => number,
  input = tensor([2, 3]),
): OpCase[] {
  return [
    {
      title: '[B, 3]',
      inputs: [named(input, ['B', 3])],
      build: (graph, [x]) => graph.apply(op, [x!], {}),
      reference: map(f),
    },
  ];
}

function multiplyMatrices([a, b]: readonly Tensor[]): Tensor {
  const inner = a!.shape.at(-1)!;
  return fill([...a!.shape.slice(0, -1), b!.shape.at(-1)!], (index) => {
    let total = 0;
    for (let k = 0; k < inner; k++) {
      total += at(a!, [...index.slice(0, -1), k]) * at(b!, [...index.slice(0, -2), k, index.at(-1)!]);
    }
    return total;
  });
}

function reduceCase(axes: number[], result: number[]): OpCase {
  return {
    title: `axes ${axes}`,
    inputs: [named(tensor([2, 3, 4]), ['B', 3, 4])],
    build: (graph, [x]) => ops.reduceSum(graph, x!, axes),
    reference: ([x]) => {
      const reduced = axes.map((axis) => (axis < 0 ? axis + 3 : axis));
      const sums = new Map<string, number>();
      for (const [position, value] of x!.data.entries()) {
        const key = unravel(position, x!.shape)
          .filter((_, axis) => !reduced.includes(axis))
          .join();
        sums.set(key, (sums.get(key) ?? 0) + value);
      }
      return { shape: result, data: [...sums.values()] };
    },
  };
}

function takeRowsCase(count: number, shape: readonly number[]): OpCase {
  return {
    title: `${count} of [${shape}]`,
    inputs: [named(tensor(shape), ['B', ...shape.slice(1)])],
    counts: { count },
    build: (graph, [x]) => ops.takeRows(graph, x!, graph.input('count', [1], { elementType: 'int64' })),
    reference: ([x]) => fill([count, ...shape.slice(1)], (index) => at(x!, index)),
  };
}

/** At least one case for every row of the op table. Ops without a gradient are checked forward only. */
export const opCases: Readonly<Record<OpName, readonly OpCase[]>> = {
  add: binaryCases('add', (a, b) => a + b),
  subtract: binaryCases('subtract', (a, b) => a - b),
  multiply: [
    ...binaryCases('multiply', (a, b) => a * b),
    {
      title: 'a value with itself',
      inputs: [tensor([3])],
      build: (graph, [x]) => ops.square(graph, x!),
      reference: map((x) => x * x),
    },
  ],
  divide: binaryCases('divide', (a, b) => a / b),
  negate: unaryCase('negate', (x) => -x),
  relu: unaryCase('relu', (x) => Math.max(x, 0)),
  sigmoid: unaryCase('sigmoid', (x) => 1 / (1 + Math.exp(-x))),
  softplus: unaryCase('softplus', (x) => Math.log1p(Math.exp(x))),
  exp: unaryCase('exp', Math.exp),
  log: unaryCase('log', Math.log, positive([2, 3])),
  clip: [
    {
      title: 'to [-0.5, 1]',
      inputs: [tensor([3, 4])],
      build: (graph, [x]) => ops.clip(graph, x!, -0.5, 1),
      reference: map((x) => Math.min(Math.max(x, -0.5), 1)),
    },
  ],
  stopGradient: [
    {
      title: 'forward',
      inputs: [tensor([2, 3])],
      build: (graph, [x]) => ops.stopGradient(graph, x!),
      reference: map((x) => x),
    },
  ],
  matmul: [
    {
      title: '[B, 3] x [3, 4]',
      inputs: [named(tensor([2, 3], 1), ['B', 3]), tensor([3, 4], 2)],
      build: (graph, [a, b]) => ops.matmul(graph, a!, b!),
      reference: multiplyMatrices,
    },
    {
      title: '[B, 2, 3] x [B, 3, 4]',
      inputs: [named(tensor([2, 2, 3], 1), ['B', 2, 3]), named(tensor([2, 3, 4], 2), ['B', 3, 4])],
      build: (graph, [a, b]) => ops.matmul(graph, a!, b!),
      reference: multiplyMatrices,
    },
  ],
  transposeLast: [
    [2, 3],
    [2, 3, 4],
  ].map((shape) => ({
    title: `[${shape}]`,
    inputs: [tensor(shape)],
    build: (graph, [x]) => ops.transposeLast(graph, x!),
    reference: ([x]) =>
      fill([...shape.slice(0, -2), shape.at(-1)!, shape.at(-2)!], (index) =>
        at(x!, [...index.slice(0, -2), index.at(-1)!, index.at(-2)!]),
      ),
  })),
  softmax: [
    {
      title: '[B, 4]',
      inputs: [named(tensor([3, 4]), ['B', 4])],
      build: (graph, [x]) => ops.softmax(graph, x!),
      reference: ([x]) =>
        fill(x!.shape, ([row, column]) => {
          const exponentials = [0, 1, 2, 3].map((k) => Math.exp(at(x!, [row!, k])));
          return exponentials[column!]! / exponentials.reduce((a, b) => a + b, 0);
        }),
    },
  ],
  sum: [[2, 3], [4], []].map((shape) => ({
    title: `[${shape}]`,
    inputs: [tensor(shape)],
    build: (graph, [x]) => ops.sum(graph, x!),
    reference: ([x]) => ({ shape: [], data: [x!.data.reduce((a, b) => a + b, 0)] }),
  })),
  reduceSum: [reduceCase([1], [2, 1, 4]), reduceCase([-1, 0], [1, 3, 1]), reduceCase([0], [1, 3, 4])],
  reshape: [
    {
      title: '[B, 2, 3] to [B, 6]',
      inputs: [named(tensor([2, 2, 3]), ['B', 2, 3])],
      build: (graph, [x]) => ops.reshape(graph, x!, ['B', 6]),
      reference: ([x]) => ({ shape: [2, 6], data: x!.data }),
    },
    {
      title: '[B, C, 4] to [B, C, 2, 2]',
      inputs: [named(tensor([2, 3, 4]), ['B', 'C', 4])],
      build: (graph, [x]) => ops.reshape(graph, x!, ['B', 'C', 2, 2]),
      reference: ([x]) => ({ shape: [2, 3, 2, 2], data: x!.data }),
    },
    {
      title: '[B, 6] to [2, B, 3]',
      inputs: [named(tensor([2, 6]), ['B', 6])],
      build: (graph, [x]) => ops.reshape(graph, x!, [2, 'B', 3]),
      reference: ([x]) => ({ shape: [2, 2, 3], data: x!.data }),
    },
  ],
  concat: [
    {
      title: 'three tensors on the last axis',
      inputs: [
        named(tensor([2, 1], 1), ['B', 1]),
        named(tensor([2, 3], 2), ['B', 3]),
        named(tensor([2, 2], 3), ['B', 2]),
      ],
      build: (graph, inputs) => ops.concat(graph, inputs, -1),
      reference: ([a, b, c]) =>
        fill([2, 6], ([row, k]) =>
          k! < 1 ? at(a!, [row!, 0]) : k! < 4 ? at(b!, [row!, k! - 1]) : at(c!, [row!, k! - 4]),
        ),
    },
    {
      title: 'two tensors on the first axis',
      inputs: [tensor([1, 2], 1), tensor([2, 2], 2)],
      build: (graph, inputs) => ops.concat(graph, inputs, 0),
      reference: ([a, b]) => ({ shape: [3, 2], data: [...a!.data, ...b!.data] }),
    },
  ],
  slice: [
    {
      title: 'columns 1 to 3 of [B, 4]',
      inputs: [named(tensor([2, 4]), ['B', 4])],
      build: (graph, [x]) => ops.slice(graph, x!, 1, 1, 3),
      reference: ([x]) => fill([2, 2], ([row, k]) => at(x!, [row!, k! + 1])),
    },
    {
      title: 'the middle axis of [2, 3, 2]',
      inputs: [tensor([2, 3, 2])],
      build: (graph, [x]) => ops.slice(graph, x!, -2, 2, 3),
      reference: ([x]) => fill([2, 1, 2], ([i, , k]) => at(x!, [i!, 2, k!])),
    },
  ],
  takeRows: [
    takeRowsCase(0, [3, 2]),
    takeRowsCase(1, [3, 2]),
    takeRowsCase(3, [3, 2]),
    takeRowsCase(2, [3]),
    takeRowsCase(2, [3, 2, 2]),
  ],
  gatherColumns: [[3, 0], [2], [1, 3, 0, 2]].map((columns) => ({
    title: `${columns} of 4`,
    inputs: [named(tensor([2, 4]), ['B', 4])],
    build: (graph, [x]) => ops.gatherColumns(graph, x!, columns),
    reference: ([x]) => fill([2, columns.length], ([row, k]) => at(x!, [row!, columns[k!]!])),
  })),
  gather: [
    {
      title: 'rows 2, 0, 2 and 1 of [3, 2]',
      inputs: [tensor([3, 2])],
      build: (graph, [table]) => ops.gather(graph, table!, graph.constant(Int32Array.of(2, 0, 2, 1), [2, 2])),
      reference: ([x]) => fill([2, 2, 2], ([i, j, k]) => at(x!, [[2, 0, 2, 1][2 * i! + j!]!, k!])),
    },
  ],
};
