import { describe, expect, it } from 'vitest';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { SparseGradient } from '../../lib/training/embeddingLayer.ts';
import { LazyAdagrad, LazyAdam } from '../../lib/training/sparseOptimiser.ts';

const ROWS = 6;
const WIDTH = 2;
const RATE = 0.05;

/** A plain dense step in double precision; `step` counts from 1 and the state starts at 0. */
type DenseStep = (weights: number[], gradient: readonly number[], state: number[][], step: number) => void;

const adagrad: DenseStep = (weights, gradient, [squares], _step) => {
  gradient.forEach((g, i) => {
    squares![i]! += g * g;
    weights[i]! -= (RATE * g) / (Math.sqrt(squares![i]!) + 1e-8);
  });
};

const adam: DenseStep = (weights, gradient, [first, second], step) => {
  const rate = (RATE * Math.sqrt(1 - 0.999 ** step)) / (1 - 0.9 ** step);
  gradient.forEach((g, i) => {
    first![i] = 0.9 * first![i]! + 0.1 * g;
    second![i] = 0.999 * second![i]! + 0.001 * g * g;
    weights[i]! -= (rate * first![i]!) / (Math.sqrt(second![i]!) + 1e-8);
  });
};

describe.each([
  { name: 'LazyAdagrad', Optimiser: LazyAdagrad, dense: adagrad },
  { name: 'LazyAdam', Optimiser: LazyAdam, dense: adam },
])('$name', ({ Optimiser, dense }) => {
  const setUp = () => {
    const random = new RandomStream(5);
    const embeddings = Float32Array.from({ length: ROWS * WIDTH }, () => random.nextNormal());
    return { random, embeddings, gradient: new SparseGradient(ROWS, WIDTH), initial: embeddings.slice() };
  };

  it.each([1, 1e-6])(
    'steps as the plain dense form on rows touched every time, gradients of size %d',
    (size) => {
      const { random, embeddings, gradient, initial } = setUp();
      const optimiser = new Optimiser(embeddings.length, RATE);
      const weights = [...initial.subarray(2, 6)];
      const state = [
        [0, 0, 0, 0],
        [0, 0, 0, 0],
      ];
      for (let step = 1; step <= 20; step++) {
        const g = Float32Array.from({ length: 4 }, () => size * random.nextNormal());
        gradient.add(2, g, 2, 1);
        gradient.add(1, g, 0, 1);
        optimiser.step(embeddings, gradient);
        dense(weights, [...g], state, step);
      }
      // Float32 weights of order 1, 20 roundings; the state is float32 too.
      weights.forEach((weight, i) => {
        expect(Math.abs(embeddings[2 + i]! - weight)).toBeLessThan(5e-6);
      });
      expect(embeddings.subarray(0, 2)).toEqual(initial.subarray(0, 2));
      expect(embeddings.subarray(6)).toEqual(initial.subarray(6));
    },
  );

  it('leaves rows and their state alone while a step does not touch them', () => {
    const { embeddings, gradient } = setUp();
    const optimiser = new Optimiser(embeddings.length, RATE);
    const one = Float32Array.of(1, -1);
    gradient.add(0, one, 0, 1);
    optimiser.step(embeddings, gradient);
    const before = embeddings.slice(0, 2);
    for (let step = 0; step < 5; step++) {
      gradient.add(4, one, 0, 1);
      optimiser.step(embeddings, gradient);
    }
    expect(embeddings.subarray(0, 2)).toEqual(before);
  });

  it('steps in the given columns only, and keeps the state of the others', () => {
    const [free, held] = [setUp(), setUp()];
    const optimisers = [free, held].map(({ embeddings }) => new Optimiser(embeddings.length, RATE));
    const step = (index: number, g: Float32Array, columns?: { from: number; to: number }) => {
      const { embeddings, gradient } = [free, held][index]!;
      gradient.add(0, g, 0, 1);
      optimisers[index]!.step(embeddings, gradient, columns);
    };
    for (const index of [0, 1]) step(index, Float32Array.of(0.3, -2));
    const before = held.embeddings.slice();
    step(1, Float32Array.of(1, 1), { from: 1, to: 2 });
    expect(held.embeddings[0]).toBe(before[0]);
    expect(held.embeddings[1]).not.toBe(before[1]);
    const after = held.embeddings.slice();
    step(1, Float32Array.of(1, 1), { from: 0, to: 1 });
    expect(held.embeddings[0]).not.toBe(after[0]);
    expect(held.embeddings[1]).toBe(after[1]);
    if (Optimiser === LazyAdam) return;
    // Adagrad counts no steps: both columns stand where one step in all of them would have left them.
    step(0, Float32Array.of(1, 1));
    expect(held.embeddings).toEqual(free.embeddings);
  });

  it('starts as new after a reset', () => {
    const { embeddings, gradient } = setUp();
    const optimiser = new Optimiser(embeddings.length, RATE);
    const step = (g: Float32Array) => {
      const before = embeddings.slice(0, 2);
      gradient.add(0, g, 0, 1);
      optimiser.step(embeddings, gradient);
      return [embeddings[0]! - before[0]!, embeddings[1]! - before[1]!];
    };
    for (let i = 0; i < 5; i++) step(Float32Array.of(0.3, -2));
    optimiser.reset();
    // The first step of both is the learning rate against the gradient's sign; older gradients would shorten or turn it.
    const [first, second] = step(Float32Array.of(-0.3, 2));
    expect(first).toBeCloseTo(RATE, 5);
    expect(second).toBeCloseTo(-RATE, 5);
  });
});
