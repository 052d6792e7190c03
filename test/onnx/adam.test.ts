import { describe, expect, it } from 'vitest';
import { adamStepSize, addAdamUpdate, stepSizeInput } from '../../lib/onnx/adam.ts';
import { gradients } from '../../lib/onnx/gradients.ts';
import { GraphBuilder } from '../../lib/onnx/graphBuilder.ts';
import { decodeModel } from '../../lib/onnx/modelProto.ts';
import { multiply, subtract, sum } from '../../lib/onnx/ops.ts';
import { createSession, float32Data, float32Tensor, scalarTensor } from '../../lib/onnx/session.ts';
import { largestError } from './gradientCheck.ts';

type State = Record<'w' | 'w.m' | 'w.v', Float32Array>;
const shape = [2, 3];
const scales = Float32Array.of(1, -2, 0.01, 0, 30, 1e-4);
const target = Float32Array.of(1, 2, 3, 4, -5, 6);

/** Loss sum(scale * (w - target)^2) / 2, so that g = scale * (w - target); one Adam step on it. */
async function adamGraph(
  options: { beta1?: number; beta2?: number; epsilon?: number; masked?: boolean } = {},
) {
  const graph = new GraphBuilder();
  const w = graph.parameter('w', shape);
  const difference = subtract(graph, w, graph.input('target', shape));
  const weighted = multiply(
    graph,
    graph.constant(
      scales.map((x) => x / 2),
      shape,
    ),
    difference,
  );
  const loss = sum(graph, multiply(graph, weighted, difference));
  const updateMasks = options.masked ? new Map([[w, graph.input('mask', shape)]]) : new Map();
  addAdamUpdate(graph, gradients(graph, loss, [w]), { ...options, updateMasks });
  const session = await createSession(graph.build());
  return {
    session,
    release: () => session.release(),
    async step(state: State, stepSize: number, mask?: Float32Array, towards = target): Promise<State> {
      const results = await session.run({
        ...Object.fromEntries(
          Object.entries(state).map(([name, data]) => [name, float32Tensor(data, shape)]),
        ),
        target: float32Tensor(towards, shape),
        [stepSizeInput]: scalarTensor(stepSize),
        ...(mask ? { mask: float32Tensor(mask, shape) } : {}),
      });
      const next = (name: string) => float32Data(results, `${name}.next`);
      return { w: next('w'), 'w.m': next('w.m'), 'w.v': next('w.v') };
    },
  };
}

function start(): State {
  return {
    w: Float32Array.of(0.5, -1, 2, 0, 1, 3),
    'w.m': new Float32Array(6),
    'w.v': new Float32Array(6),
  };
}

function bits(data: Float32Array): number[] {
  return [...new Uint32Array(data.buffer, data.byteOffset, data.length)];
}

describe('Adam in the graph', () => {
  it.each([
    { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
    { beta1: 0.5, beta2: 0.9, epsilon: 0.1 },
  ])('follows a plain double precision Adam for 50 steps: %o', async (options) => {
    const { beta1, beta2, epsilon } = options;
    const learningRate = 0.05;
    const graph = await adamGraph(options);
    let state = start();
    const expected = { w: [...state.w], m: [...state['w.m']], v: [...state['w.v']] };
    for (let t = 1; t <= 50; t++) {
      state = await graph.step(state, adamStepSize(learningRate, t, options));
      for (let i = 0; i < 6; i++) {
        const g = scales[i]! * (expected.w[i]! - target[i]!);
        expected.m[i] = beta1 * expected.m[i]! + (1 - beta1) * g;
        expected.v[i] = beta2 * expected.v[i]! + (1 - beta2) * g * g;
        const corrected = learningRate * (Math.sqrt(1 - beta2 ** t) / (1 - beta1 ** t));
        expected.w[i]! -= (corrected * expected.m[i]!) / (Math.sqrt(expected.v[i]!) + epsilon);
      }
    }
    // 50 float32 steps: an error of a few units in the last place each.
    expect(largestError(state.w, expected.w)).toBeLessThan(2e-5);
    expect(largestError(state['w.m'], expected.m)).toBeLessThan(2e-5);
    expect(largestError(state['w.v'], expected.v)).toBeLessThan(2e-5);
    await graph.release();
  });

  it('moves every weight with a gradient by the learning rate in the first step, whatever the gradient', async () => {
    const graph = await adamGraph();
    const { w } = await graph.step(start(), adamStepSize(1e-3, 1));
    const moved = w.map((x, i) => x - start().w[i]!);
    // epsilon is divided by sqrt(1 - beta2) in this form: the smallest gradient, 3e-4, loses 0.1% of its step to it.
    expect(
      largestError(
        moved.map((x) => x * 1e3),
        [1, -1, 1, 0, -1, 1],
      ),
    ).toBeLessThan(2e-3);
    await graph.release();
  });

  it('names inputs and outputs after the parameter', async () => {
    const graph = await adamGraph();
    expect([...graph.session.inputNames].sort()).toEqual(['stepSize', 'target', 'w', 'w.m', 'w.v']);
    expect([...graph.session.outputNames].sort()).toEqual(['w.m.next', 'w.next', 'w.v.next']);
    await graph.release();
  });

  it('leaves gradients of inputs to the caller', () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', [2], { requiresGradient: true });
    const w = graph.parameter('w', [2]);
    const found = gradients(graph, sum(graph, multiply(graph, x, w)), [x, w]);
    addAdamUpdate(graph, found);
    const outputs = decodeModel(graph.build()).graph.output.map(({ name }) => name);
    expect(outputs).toEqual(['w.next', 'w.m.next', 'w.v.next']);
  });
});

describe('update mask', () => {
  const mask = Float32Array.of(1, 0, 1, 0, 0, 1);

  it('keeps weight and moments bit for bit where it is 0, and changes nothing where it is 1', async () => {
    const plain = await adamGraph();
    const masked = await adamGraph({ masked: true });
    // Moments that would move the weight without any gradient: the leak this mask is for.
    const moments = { 'w.m': new Float32Array(6).fill(0.3), 'w.v': new Float32Array(6).fill(0.7) };
    const before: State = { ...start(), ...moments };
    before.w[1] = -0;
    let free = before;
    let held = before;
    for (let t = 1; t <= 5; t++) {
      free = await plain.step(free, adamStepSize(0.01, t));
      held = await masked.step(held, adamStepSize(0.01, t), mask);
    }
    for (const name of ['w', 'w.m', 'w.v'] as const) {
      const expected = bits(free[name]).map((now, i) => (mask[i] === 1 ? now : bits(before[name])[i]));
      expect(bits(held[name]), name).toEqual(expected);
    }
    await Promise.all([plain.release(), masked.release()]);
  });

  it('keeps weights from a NaN gradient where it is 0', async () => {
    const masked = await adamGraph({ masked: true });
    const after = await masked.step(start(), 0.01, mask, new Float32Array(6).fill(Number.NaN));
    expect([...after.w].map(Number.isNaN)).toEqual([...mask].map((x) => x === 1));
    await masked.release();
  });
});
