import { elementwiseOps } from './elementwiseOps.ts';
import { linearOps } from './linearOps.ts';
import type { OpDefinition, Value } from './opDefinition.ts';
import { shapeOps } from './shapeOps.ts';
import type { Shape } from './shapes.ts';

/**
 * Every operation a model may be built of: forward beside backward, one row each. The gradient check walks over all
 * rows, so a new row needs a case in test/onnx/opCases.ts.
 * @internal exported for tests: the gradient check walks over its rows
 */
export const opTable = { ...elementwiseOps, ...linearOps, ...shapeOps };

type OpTable = typeof opTable;
export type OpName = keyof OpTable;
export type OpInputs<Name extends OpName> = Parameters<OpTable[Name]['forward']>[1];
export type OpAttributes<Name extends OpName> =
  Parameters<OpTable[Name]['forward']> extends [unknown, unknown, infer Attributes]
    ? Attributes
    : Record<string, never>;

/** A row without its exact input and attribute types, for code that walks over recorded applications. */
export function opDefinition(op: OpName): OpDefinition<readonly Value[], unknown> {
  return opTable[op] as unknown as OpDefinition<readonly Value[], unknown>;
}

/** The graph builder, as far as the functions below use it. */
interface Graph {
  apply<Name extends OpName>(op: Name, inputs: OpInputs<Name>, attributes: OpAttributes<Name>): Value;
}

// Typed names for the rows of the table, for code that defines models. Shapes and limits stand at the rows.
export const add = (graph: Graph, a: Value, b: Value): Value => graph.apply('add', [a, b], {});
export const subtract = (graph: Graph, a: Value, b: Value): Value => graph.apply('subtract', [a, b], {});
export const multiply = (graph: Graph, a: Value, b: Value): Value => graph.apply('multiply', [a, b], {});
export const divide = (graph: Graph, a: Value, b: Value): Value => graph.apply('divide', [a, b], {});
export const negate = (graph: Graph, x: Value): Value => graph.apply('negate', [x], {});
export const relu = (graph: Graph, x: Value): Value => graph.apply('relu', [x], {});
export const sigmoid = (graph: Graph, x: Value): Value => graph.apply('sigmoid', [x], {});
export const softplus = (graph: Graph, x: Value): Value => graph.apply('softplus', [x], {});
export const exp = (graph: Graph, x: Value): Value => graph.apply('exp', [x], {});
export const log = (graph: Graph, x: Value): Value => graph.apply('log', [x], {});
export const square = (graph: Graph, x: Value): Value => graph.apply('multiply', [x, x], {});
export const clip = (graph: Graph, x: Value, min: number, max: number): Value =>
  graph.apply('clip', [x], { min, max });
export const stopGradient = (graph: Graph, x: Value): Value => graph.apply('stopGradient', [x], {});

export const matmul = (graph: Graph, a: Value, b: Value): Value => graph.apply('matmul', [a, b], {});
export const transposeLast = (graph: Graph, x: Value): Value => graph.apply('transposeLast', [x], {});
export const softmax = (graph: Graph, x: Value): Value => graph.apply('softmax', [x], {});
export const sum = (graph: Graph, x: Value): Value => graph.apply('sum', [x], {});
export const reduceSum = (graph: Graph, x: Value, axes: readonly number[]): Value =>
  graph.apply('reduceSum', [x], { axes });

export const reshape = (graph: Graph, x: Value, shape: Shape): Value =>
  graph.apply('reshape', [x], { shape });
export const concat = (graph: Graph, inputs: readonly Value[], axis: number): Value =>
  graph.apply('concat', inputs, { axis });
/** Positions begin (inclusive) to end (exclusive) of an axis. */
export const slice = (graph: Graph, x: Value, axis: number, begin: number, end: number): Value =>
  graph.apply('slice', [x], { axis, begin, end });
/** The first C rows of x, where C is the run-time value of `count`, int64 [1]. */
export const takeRows = (graph: Graph, x: Value, count: Value): Value =>
  graph.apply('takeRows', [x, count], {});
export const gatherColumns = (graph: Graph, x: Value, columns: readonly number[]): Value =>
  graph.apply('gatherColumns', [x], { columns });
export const gather = (graph: Graph, table: Value, ids: Value): Value =>
  graph.apply('gather', [table, ids], {});
