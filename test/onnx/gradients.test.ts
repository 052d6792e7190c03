import { describe, expect, it } from 'vitest';
import { Ncs4cvrError } from '../../lib/base/errors.ts';
import { gradients } from '../../lib/onnx/gradients.ts';
import { GraphBuilder } from '../../lib/onnx/graphBuilder.ts';
import type { Value } from '../../lib/onnx/opDefinition.ts';
import * as ops from '../../lib/onnx/ops.ts';
import { createSession, float32Data, float32Tensor, int64Tensor } from '../../lib/onnx/session.ts';
import { type CheckCase, checkGradient, largestError } from './gradientCheck.ts';
import { tensor } from './opCases.ts';

/** x = [flatten(H H^T), flatten(H)] of H [B, F, E]: the input layer of the network. */
function crossLayer(graph: GraphBuilder, fields: Value, fieldCount: number, width: number): Value {
  const products = ops.matmul(graph, fields, ops.transposeLast(graph, fields));
  return ops.concat(
    graph,
    [
      ops.reshape(graph, products, ['B', fieldCount * fieldCount]),
      ops.reshape(graph, fields, ['B', fieldCount * width]),
    ],
    1,
  );
}

async function expectExactGradients(check: CheckCase): Promise<void> {
  const { analytic, numeric } = await checkGradient(check);
  // Tolerance: see gradientCheck.ts.
  for (const [index, ofInput] of analytic.entries()) {
    expect(largestError(ofInput, numeric[index]!)).toBeLessThan(2e-3);
  }
}

describe('blocks of the network', () => {
  it('gives [5, 1, 1, 10, 1, 2, 3, -1] for the cross layer of H = {(1, 2), (3, -1)}', async () => {
    const { forward } = await checkGradient({
      inputs: [{ shape: [1, 2, 2], data: [1, 2, 3, -1], dimensions: ['B', 2, 2] }],
      build: (graph, [h]) => crossLayer(graph, h!, 2, 2),
    });
    expect(forward).toEqual({ shape: [1, 8], data: [5, 1, 1, 10, 1, 2, 3, -1] });
  });

  it('differentiates the cross layer, the factor 2 of the self terms included', async () => {
    const fields = { ...tensor([2, 3, 2]), dimensions: ['B', 3, 2] };
    await expectExactGradients({ inputs: [fields], build: (graph, [h]) => crossLayer(graph, h!, 3, 2) });
  });

  it('differentiates the upper triangle of the cross', async () => {
    await expectExactGradients({
      inputs: [{ ...tensor([2, 3, 2]), dimensions: ['B', 3, 2] }],
      build: (graph, [h]) => ops.gatherColumns(graph, crossLayer(graph, h!, 3, 2), [0, 1, 2, 4, 5, 8]),
    });
  });

  it('differentiates a masked layer and gives pruned weights a gradient of exactly 0', async () => {
    const mask = Float32Array.of(1, 0, 0, 1, 1, 0);
    const check: CheckCase = {
      inputs: [{ ...tensor([4, 2], 1), dimensions: ['B', 2] }, tensor([2, 3], 2), tensor([3], 3)],
      build: (graph, [x, w, b]) => {
        const masked = ops.multiply(graph, w!, graph.constant(mask, [2, 3]));
        return ops.softplus(graph, ops.add(graph, ops.matmul(graph, x!, masked), b!));
      },
    };
    await expectExactGradients(check);
    const { analytic } = await checkGradient(check);
    expect([...analytic[1]!].map((g) => g !== 0)).toEqual([...mask].map((kept) => kept === 1));
  });

  it('differentiates a masked mean over list values', async () => {
    const weights = Float32Array.of(0.5, 0.5, 0, 1, 0, 0);
    await expectExactGradients({
      inputs: [tensor([2, 3, 2])],
      build: (graph, [values]) =>
        ops.reduceSum(graph, ops.multiply(graph, values!, graph.constant(weights, [2, 3, 1])), [1]),
    });
  });

  // ONNX Runtime once left the result of a product over an inner dimension of 0 uninitialised.
  it.each([0, 1, 3])('differentiates a layer on the first %i of 3 rows', async (count) => {
    await expectExactGradients({
      inputs: [{ ...tensor([3, 2], 1), dimensions: ['B', 2] }, tensor([2, 4], 2), tensor([4], 3)],
      counts: { count },
      build: (graph, [x, w, b]) => {
        const rows = ops.takeRows(graph, x!, graph.input('count', [1], { elementType: 'int64' }));
        return ops.sigmoid(graph, ops.add(graph, ops.matmul(graph, rows, w!), b!));
      },
    });
  });

  it('gives gradients of exactly 0 when a task has no row', async () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', ['B', 2], { requiresGradient: true });
    const w = graph.parameter('w', [2, 3]);
    const b = graph.parameter('b', [3]);
    const rows = ops.takeRows(graph, x, graph.input('count', [1], { elementType: 'int64' }));
    const cubes = ops.reshape(graph, rows, ['C', 2, 1]);
    const products = ops.reshape(graph, ops.matmul(graph, cubes, ops.transposeLast(graph, cubes)), ['C', 4]);
    const hidden = ops.relu(graph, ops.add(graph, ops.matmul(graph, rows, w), b));
    const loss = ops.add(graph, ops.sum(graph, hidden), ops.sum(graph, products));
    const found = gradients(graph, loss, [x, w, b]);
    for (const value of [x, w, b]) graph.output(`d${value.name}`, found.get(value)!);
    graph.output('loss', loss);
    const session = await createSession(graph.build());
    // Twice, because memory of an earlier run may be used again.
    for (const count of [4, 0, 4, 0]) {
      const results = await session.run({
        x: float32Tensor(new Float32Array(8).fill(1), [4, 2]),
        w: float32Tensor(new Float32Array(6).fill(1), [2, 3]),
        b: float32Tensor(new Float32Array(3).fill(1), [3]),
        count: int64Tensor([count]),
      });
      expect(float32Data(results, 'loss')[0]).toBe(count * 13);
      expect(float32Data(results, 'dw')).toEqual(new Float32Array(6).fill(count));
      expect(float32Data(results, 'db')).toEqual(new Float32Array(3).fill(count));
      expect(float32Data(results, 'dx')).toEqual(new Float32Array(8).fill(count === 0 ? 0 : 7));
    }
    await session.release();
  });
});

describe('gradients', () => {
  it('adds up over every use of a value', async () => {
    await expectExactGradients({
      inputs: [tensor([2, 2], 1)],
      build: (graph, [x]) => {
        const y = ops.sigmoid(graph, x!);
        return ops.add(graph, ops.multiply(graph, x!, y), ops.matmul(graph, y, ops.transposeLast(graph, y)));
      },
    });
  });

  it('takes what stopGradient returns as a constant', async () => {
    const { analytic } = await checkGradient({
      inputs: [{ shape: [2], data: [3, 5] }],
      build: (graph, [x]) => ops.sum(graph, ops.multiply(graph, ops.stopGradient(graph, x!), x!)),
    });
    const weight = 1 + 0.3 * Math.sin(1);
    // d(c x)/dx = c, not 2x; float32 rounding only.
    expect(largestError(analytic[0]!, [3 * weight, 5 * weight])).toBeLessThan(1e-6);
  });

  it('reaches values in the middle of the graph', async () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', [2], { requiresGradient: true });
    const middle = ops.multiply(graph, x, graph.scalar(2));
    const loss = ops.sum(graph, ops.multiply(graph, middle, graph.scalar(3)));
    graph.output('d', gradients(graph, loss, [middle]).get(middle)!);
    const session = await createSession(graph.build());
    const results = await session.run({ x: float32Tensor(new Float32Array(2), [2]) });
    expect(float32Data(results, 'd')).toEqual(Float32Array.of(3, 3));
    await session.release();
  });

  it('lists every value without a path to the loss', () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', [2], { requiresGradient: true });
    const loss = ops.sum(graph, x);
    const aside = graph.parameter('aside', [2]);
    const fixed = graph.input('fixed', [2]);
    expect(() => gradients(graph, loss, [x, aside, fixed])).toThrow(
      expect.objectContaining({ code: 'GRAPH_GRADIENT_MISSING', found: "'aside', 'fixed'" }),
    );
  });

  it('refuses a path through gather, and a loss that is no scalar', () => {
    const graph = new GraphBuilder();
    const table = graph.parameter('table', [3, 2]);
    const rows = ops.gather(graph, table, graph.input('ids', ['B'], { elementType: 'int32' }));
    expect(() => gradients(graph, ops.sum(graph, rows), [table])).toThrow(
      expect.objectContaining({ code: 'GRAPH_OP_NOT_DIFFERENTIABLE' }),
    );
    expect(() => gradients(graph, rows, [table])).toThrow(Ncs4cvrError);
    expect(() => gradients(graph, rows, [table])).toThrow('GRAPH_LOSS_NOT_SCALAR');
  });

  it('goes past a gather that leads to no wanted value', () => {
    const graph = new GraphBuilder();
    const rows = ops.gather(
      graph,
      graph.parameter('table', [3, 2]),
      graph.constant(Int32Array.of(0, 2), [2]),
    );
    const w = graph.parameter('w', [2, 1]);
    const loss = ops.sum(graph, ops.matmul(graph, rows, w));
    expect([...gradients(graph, loss, [w]).keys()]).toEqual([w]);
  });
});
