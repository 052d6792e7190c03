import { describe, expect, it } from 'vitest';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { gradients } from '../../lib/onnx/gradients.ts';
import { GraphBuilder } from '../../lib/onnx/graphBuilder.ts';
import { multiply, sum } from '../../lib/onnx/ops.ts';
import { createSession, float32Data, float32Tensor, scalarTensor } from '../../lib/onnx/session.ts';
import { densityPenalty, expectedDensity, hardConcrete } from '../../lib/training/hardConcrete.ts';
import { DENSITY_PENALTY } from '../../lib/training/tensorNames.ts';

const SCORES = [-0.06, -0.04, -0.02, 0, 0.01, 0.03, 0.05];
const NOISE = [0.02, 0.3, 0.5, 0.7, 0.9, 0.98];
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

// Louizos et al. 2018 in plain double precision, written apart from the code under test; a logit is 50 scores.
function maskOf(score: number, u: number): number {
  const x = sigmoid((Math.log(u) - Math.log(1 - u) + 50 * score) / (2 / 3));
  return Math.min(1, Math.max(0, x * 1.2 - 0.1));
}
const keptOf = (score: number): number => sigmoid(50 * score - (2 / 3) * Math.log(0.1 / 1.1));
const slope = (f: (x: number) => number, x: number) => (f(x + 1e-6) - f(x - 1e-6)) / 2e-6;

describe('a hard concrete mask', () => {
  const points = SCORES.flatMap((score) => NOISE.map((u) => [score, u] as const));

  it('has the values and the slopes of the formula, 0 and 1 among them', async () => {
    const graph = new GraphBuilder();
    const score = graph.input('score', [points.length], { requiresGradient: true });
    const mask = hardConcrete(graph, score, graph.input('noise', [points.length]));
    graph.output('mask', mask);
    graph.output('slopes', gradients(graph, sum(graph, mask), [score]).get(score)!);
    const session = await createSession(graph.build());
    const column = (pick: 0 | 1) =>
      float32Tensor(
        Float32Array.from(points, (point) => point[pick]),
        [points.length],
      );
    const results = await session.run({ score: column(0), noise: column(1) });
    await session.release();
    const found = [...float32Data(results, 'mask')];
    points.forEach(([s, u], i) => {
      const expected = maskOf(s, u);
      expect(found[i], `mask at ${s}, ${u}`).toBeCloseTo(expected, 5);
      const steep = slope((x) => maskOf(x, u), s);
      expect(float32Data(results, 'slopes')[i], `slope at ${s}, ${u}`).toBeCloseTo(steep, 2);
    });
    expect(found).toContain(0);
    expect(found).toContain(1);
  });

  it('is above 0 as often as the penalty says', () => {
    const random = new RandomStream(1);
    for (const score of [-0.06, -0.03, 0, 0.02]) {
      let kept = 0;
      for (let i = 0; i < 20_000; i++) if (maskOf(score, random.nextUniform()) > 0) kept++;
      expect(kept / 20_000).toBeCloseTo(keptOf(score), 1.7);
      const layers = [Float32Array.of(score, score)];
      expect(expectedDensity({ click: layers, conversion: layers })).toBeCloseTo(keptOf(score), 6);
    }
  });

  it('is penalised by the mean probability over all connections, times a factor that may be 0', async () => {
    const graph = new GraphBuilder();
    const layers = [SCORES.slice(0, 3), SCORES.slice(3)];
    const scores = layers.map((values, i) =>
      graph.input(`s${i}`, [values.length], { requiresGradient: true }),
    );
    const penalty = densityPenalty(graph, scores, SCORES.length);
    graph.output('penalty', multiply(graph, penalty, graph.scalar(1)));
    graph.output('slopes', gradients(graph, penalty, scores).get(scores[1]!)!);
    const session = await createSession(graph.build());
    const feeds = Object.fromEntries(
      layers.map((values, i) => [`s${i}`, float32Tensor(Float32Array.from(values), [values.length])]),
    );
    const on = await session.run({ ...feeds, [DENSITY_PENALTY]: scalarTensor(2) });
    const off = await session.run({ ...feeds, [DENSITY_PENALTY]: scalarTensor(0) });
    await session.release();
    const mean = SCORES.reduce((total, score) => total + keptOf(score), 0) / SCORES.length;
    expect(float32Data(on, 'penalty')[0]).toBeCloseTo(2 * mean, 5);
    expect(float32Data(off, 'penalty')[0]).toBe(0);
    layers[1]!.forEach((score, i) => {
      expect(float32Data(on, 'slopes')[i]).toBeCloseTo((2 * slope(keptOf, score)) / SCORES.length, 3);
    });
  });
});
