import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../lib/onnx/graphBuilder.ts';
import { decodeModel, operatorsOf } from '../../lib/onnx/modelProto.ts';
import * as ops from '../../lib/onnx/ops.ts';
import { createSession, float32Data, float32Tensor } from '../../lib/onnx/session.ts';

function layer(): GraphBuilder {
  const graph = new GraphBuilder();
  const x = graph.input('x', ['B', 2]);
  const w = graph.parameter('w', [2, 3]);
  const b = graph.parameter('b', [3]);
  graph.output('y', ops.add(graph, ops.matmul(graph, x, w), b));
  return graph;
}

const w = Float32Array.of(1, 2, 3, 4, 5, 6);
const b = Float32Array.of(0.5, 0, -0.5);

describe('GraphBuilder', () => {
  it('writes a file whose inputs, outputs and shapes ONNX Runtime reads as they were declared', async () => {
    const session = await createSession(layer().build());
    expect(session.inputMetadata).toEqual([
      { name: 'x', isTensor: true, type: 'float32', shape: ['B', 2] },
      { name: 'w', isTensor: true, type: 'float32', shape: [2, 3] },
      { name: 'b', isTensor: true, type: 'float32', shape: [3] },
    ]);
    expect(session.outputMetadata).toEqual([{ name: 'y', isTensor: true, type: 'float32', shape: ['B', 3] }]);
    await session.release();
  });

  it('computes the same bits with parameters as inputs, folded, and partly folded', async () => {
    const x = float32Tensor(Float32Array.of(1, 2, -1, 0.5), [2, 2]);
    const feeds = { x, w: float32Tensor(w, [2, 3]), b: float32Tensor(b, [3]) };
    const values = [];
    for (const parameters of [{}, { w }, { w, b, unused: b }]) {
      const session = await createSession(layer().build({ parameters: new Map(Object.entries(parameters)) }));
      const fed = Object.fromEntries(
        Object.entries(feeds).filter(([name]) => session.inputNames.includes(name)),
      );
      values.push(float32Data(await session.run(fed), 'y'));
      await session.release();
    }
    expect(values[0]).toEqual(Float32Array.of(9.5, 12, 14.5, 1.5, 0.5, -0.5));
    expect(values[1]).toEqual(values[0]);
    expect(values[2]).toEqual(values[0]);
  });

  it('writes folded parameters from a view into a larger buffer', () => {
    const shared = Float32Array.of(9, ...w, 9);
    const parameters = new Map([['w', shared.subarray(1, 7)]]);
    const tensor = decodeModel(layer().build({ parameters })).graph.initializer[0]!;
    expect(new Float32Array(tensor.rawData.slice().buffer)).toEqual(w);
  });

  it('leaves out nodes, inputs, constants and parameters that no output depends on', () => {
    const graph = layer();
    const unused = graph.parameter('unused', [2]);
    ops.exp(graph, ops.multiply(graph, unused, graph.input('alsoUnused', [2])));
    graph.scalar(42);
    const model = decodeModel(graph.build());
    expect(model.graph.input.map(({ name }) => name)).toEqual(['x', 'w', 'b']);
    expect(model.graph.initializer).toEqual([]);
    expect(operatorsOf(model.graph).map(({ opType }) => opType)).toEqual(['MatMul', 'Add']);
  });

  it('gives one value several output names, and inputs, constants and inner values an output name', async () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', [2]);
    const inner = ops.multiply(graph, x, graph.scalar(2));
    graph.output('first', inner);
    graph.output('second', inner);
    graph.output('negative', ops.negate(graph, inner));
    graph.output('same', x);
    graph.output('two', graph.scalar(2));
    const session = await createSession(graph.build());
    const results = await session.run({ x: float32Tensor(Float32Array.of(1, -3), [2]) });
    const read = Object.fromEntries(
      session.outputNames.map((name) => [name, [...float32Data(results, name)]]),
    );
    expect(read).toEqual({ first: [2, -6], second: [2, -6], negative: [-2, 6], same: [1, -3], two: [2] });
    await session.release();
  });

  it('stores equal constants once and different ones apart, down to the sign of zero', () => {
    const graph = new GraphBuilder();
    expect(graph.scalar(1)).toBe(graph.scalar(1));
    expect(graph.int64([1, 2])).toBe(graph.int64([1, 2]));
    expect(graph.scalar(0)).not.toBe(graph.scalar(-0));
    expect(graph.scalar(1)).not.toBe(graph.constant(Float32Array.of(1), [1]));
    expect(graph.constant(new Int32Array(2), [2])).not.toBe(graph.constant(new Float32Array(2), [2]));
  });

  it('copies a constant, so that a change of the array later leaves the graph alone', () => {
    const graph = new GraphBuilder();
    const data = Float32Array.of(1, 2);
    graph.output('y', graph.constant(data, [2]));
    data.fill(7);
    const { rawData } = decodeModel(graph.build()).graph.initializer[0]!;
    expect(new Float32Array(rawData.slice().buffer)).toEqual(Float32Array.of(1, 2));
  });

  it('gives the same input again for the same declaration and refuses another one under its name', () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', ['B', 2]);
    expect(graph.input('x', ['B', 2])).toBe(x);
    const taken = expect.objectContaining({ code: 'GRAPH_NAME_TAKEN' });
    expect(() => graph.input('x', ['B', 3])).toThrow(taken);
    expect(() => graph.input('x', ['B', 2], { elementType: 'int32' })).toThrow(taken);
    expect(() => graph.input('x', ['B', 2], { requiresGradient: true })).toThrow(taken);
    expect(() => graph.parameter('x', [2])).toThrow(taken);
    expect(() => graph.output('x', x)).toThrow(taken);
    graph.output('y', x);
    expect(() => graph.output('y', x)).toThrow(taken);
    expect(() => graph.input('y', [2])).toThrow(taken);
    expect(() => graph.input('Add:0', [2])).toThrow(taken);
  });

  it('lists every folded parameter of the wrong size', () => {
    const parameters = new Map([
      ['w', new Float32Array(5)],
      ['b', new Float32Array(4)],
    ]);
    expect(() => layer().build({ parameters })).toThrow(
      expect.objectContaining({
        code: 'GRAPH_PARAMETER_SIZE',
        found: "'w' [2, 3] got 5 values; 'b' [3] got 4 values",
      }),
    );
  });

  it('refuses shapes that an op cannot take, before ONNX Runtime sees them', () => {
    const graph = new GraphBuilder();
    const value = (...shape: (number | string)[]) => graph.input(`x${shape.join('_')}`, shape);
    const refused: readonly (() => unknown)[] = [
      () => ops.add(graph, value(2, 3), value(2)),
      () => ops.add(graph, value('B', 3), value('C', 3)),
      () => ops.matmul(graph, value('B', 3), value(4, 2)),
      () => ops.matmul(graph, value('B', 2, 3), value(3, 2)),
      () => ops.matmul(graph, value('B', 2, 3), value('C', 3, 2)),
      () => ops.transposeLast(graph, value(3)),
      () => ops.reshape(graph, value('B', 6), ['B', 5]),
      () => ops.reshape(graph, value('B', 6), ['C', 6]),
      () => ops.reshape(graph, value('B', 'C', 6), ['C', 'B', 6]),
      () => ops.concat(graph, [value('B', 3), value('C', 3)], 1),
      () => ops.concat(graph, [value('B', 3), value('C', 3)], 0),
      () => ops.concat(graph, [], 0),
      () => ops.slice(graph, value('B', 3), 1, 2, 4),
      () => ops.slice(graph, value('B', 3), 1, 2, 2),
      () => ops.slice(graph, value('B', 3), 0, 0, 1),
      () => ops.gatherColumns(graph, value('B', 3), [1, 1]),
      () => ops.gatherColumns(graph, value('B', 3), [3]),
      () => ops.gatherColumns(graph, value('B', 3), []),
      () => ops.reduceSum(graph, value('B', 3), []),
      () => ops.reduceSum(graph, value('B', 3), [1, -1]),
      () => ops.reduceSum(graph, value('B', 3), [2]),
      () => ops.softmax(graph, value()),
      () => graph.constant(new Float32Array(3), [2, 2]),
      () => graph.parameter('w', ['B', 2]),
    ];
    for (const build of refused) {
      expect(build, String(build)).toThrow(expect.objectContaining({ code: 'GRAPH_SHAPE_MISMATCH' }));
    }
  });
});
