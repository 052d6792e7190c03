import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../lib/onnx/graphBuilder.ts';
import { decodeModel } from '../../lib/onnx/modelProto.ts';
import { add, matmul, multiply, relu } from '../../lib/onnx/ops.ts';
import { findDenseLayers } from '../../lib/quantise/denseLayers.ts';
import { smallNetwork } from './smallNetwork.ts';

/** A layer of 32 x 32 on x, changed or read otherwise. */
function layer(build: (graph: GraphBuilder) => void) {
  const graph = new GraphBuilder();
  build(graph);
  const parameters = new Map([
    ['weight', new Float32Array(1024).fill(1)],
    ['bias', new Float32Array(32)],
    ['narrow', new Float32Array(512)],
  ]);
  return findDenseLayers(decodeModel(graph.build({ parameters })).graph);
}

describe('findDenseLayers', () => {
  it('finds the hidden layers with what their inputs are joined from, and no head', () => {
    const layers = findDenseLayers(smallNetwork(1).graph);
    expect(layers.map(({ inputCount, unitCount }) => [inputCount, unitCount])).toEqual([
      [68, 64],
      [64, 32],
    ]);
    expect(layers[0]!.groups).toEqual(['crossed', 'raw', 'dense']);
    expect(layers[1]!.groups).toEqual([expect.stringMatching(/^Relu/)]);
  });

  it('passes over a layer whose sum is read before the ReLU, has no ReLU, or is small', () => {
    const product = (graph: GraphBuilder) =>
      add(
        graph,
        matmul(graph, graph.input('x', ['B', 32]), graph.parameter('weight', [32, 32])),
        graph.parameter('bias', [32]),
      );
    expect(layer((graph) => graph.output('y', relu(graph, product(graph))))).toHaveLength(1);
    expect(layer((graph) => graph.output('y', product(graph)))).toEqual([]);
    const readTwice = (graph: GraphBuilder) => {
      const sum = product(graph);
      graph.output('y', multiply(graph, sum, relu(graph, sum)));
    };
    expect(layer(readTwice)).toEqual([]);
    const small = (graph: GraphBuilder) => {
      const half = matmul(graph, graph.input('x', ['B', 16]), graph.parameter('narrow', [16, 32]));
      graph.output('y', relu(graph, add(graph, half, graph.parameter('bias', [32]))));
    };
    expect(layer(small)).toEqual([]);
  });

  it('passes over a layer of so many inputs that sums of their products could leave 32 bits', () => {
    const found = [65_536, 65_537].map((inputs) => {
      const graph = new GraphBuilder();
      const product = matmul(graph, graph.input('x', ['B', inputs]), graph.parameter('weight', [inputs, 2]));
      graph.output('y', relu(graph, add(graph, product, graph.parameter('bias', [2]))));
      const parameters = new Map([
        ['weight', new Float32Array(2 * inputs)],
        ['bias', new Float32Array(2)],
      ]);
      return findDenseLayers(decodeModel(graph.build({ parameters })).graph).length;
    });
    expect(found).toEqual([1, 0]);
  });

  it('takes several products with constant weights that are added up for one layer', () => {
    const [found] = layer((graph) => {
      const [x, z] = [graph.input('x', ['B', 32]), graph.input('z', ['B', 16])];
      const shape = { shape: ['B', 32] };
      const first = graph.node(
        'Gemm',
        [x, graph.parameter('weight', [32, 32]), graph.parameter('bias', [32])],
        shape,
      );
      graph.output(
        'y',
        relu(graph, graph.node('Gemm', [z, graph.parameter('narrow', [16, 32]), first], shape)),
      );
    });
    expect(found!.groups).toEqual(['x', 'z']);
    expect([found!.inputCount, found!.unitCount, found!.nodes.length]).toEqual([48, 32, 2]);
    expect([...found!.weight]).toEqual([...new Array(1024).fill(1), ...new Array(512).fill(0)]);
  });

  it('passes over a product of two tensors that are both computed', () => {
    const computed = (graph: GraphBuilder) => {
      const weight = graph.input('w', [32, 32]);
      const sum = add(
        graph,
        matmul(graph, graph.input('x', ['B', 32]), weight),
        graph.parameter('bias', [32]),
      );
      graph.output('y', relu(graph, sum));
    };
    expect(layer(computed)).toEqual([]);
  });
});
