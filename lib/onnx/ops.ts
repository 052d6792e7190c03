// Typed names for the rows of the op table, for code that defines models. Shapes and limits stand at the rows.
import type { GraphBuilder } from './graphBuilder.ts';
import type { Value } from './opDefinition.ts';
import type { Shape } from './shapes.ts';

type Graph = GraphBuilder;

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
export const power = (graph: Graph, x: Value, exponent: number): Value =>
  graph.apply('power', [x], { exponent });
export const square = (graph: Graph, x: Value): Value => graph.apply('multiply', [x, x], {});
export const clip = (graph: Graph, x: Value, min: number, max: number): Value =>
  graph.apply('clip', [x], { min, max });
export const stopGradient = (graph: Graph, x: Value): Value => graph.apply('stopGradient', [x], {});

export const matmul = (graph: Graph, a: Value, b: Value): Value => graph.apply('matmul', [a, b], {});
export const transposeLast = (graph: Graph, x: Value): Value => graph.apply('transposeLast', [x], {});
export const softmax = (graph: Graph, x: Value): Value => graph.apply('softmax', [x], {});
export const sum = (graph: Graph, x: Value): Value => graph.apply('sum', [x], {});
export const reduceSum = (graph: Graph, x: Value, axes: readonly number[], keepDimensions = false): Value =>
  graph.apply('reduceSum', [x], { axes, keepDimensions });

export const reshape = (graph: Graph, x: Value, shape: Shape): Value =>
  graph.apply('reshape', [x], { shape });
export const concat = (graph: Graph, inputs: readonly Value[], axis: number): Value =>
  graph.apply('concat', inputs, { axis });
/** Positions begin (inclusive) to end (exclusive) of an axis. */
export const slice = (graph: Graph, x: Value, axis: number, begin: number, end: number): Value =>
  graph.apply('slice', [x], { axis, begin, end });
/** The first `count` (int64 [1], a run-time value) rows of x; `rows` names that length in the result's shape. */
export const takeRows = (graph: Graph, x: Value, count: Value, rows = 'C'): Value =>
  graph.apply('takeRows', [x, count], { rows });
export const gatherColumns = (graph: Graph, x: Value, columns: readonly number[]): Value =>
  graph.apply('gatherColumns', [x], { columns });
export const gather = (graph: Graph, table: Value, ids: Value): Value =>
  graph.apply('gather', [table, ids], {});
