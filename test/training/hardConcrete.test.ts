import { describe, expect, it } from 'vitest';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { networkConfigSchema } from '../../lib/network/networkConfig.ts';
import { networkShape } from '../../lib/network/networkShape.ts';
import { layerSizes } from '../../lib/network/taskMasks.ts';
import { gradients } from '../../lib/onnx/gradients.ts';
import { GraphBuilder } from '../../lib/onnx/graphBuilder.ts';
import { multiply, sum } from '../../lib/onnx/ops.ts';
import { createSession, float32Data, float32Tensor, scalarTensor } from '../../lib/onnx/session.ts';
import {
  densityPenalty,
  drawNoise,
  expectedDensity,
  hardConcrete,
  initialLogitScores,
} from '../../lib/training/hardConcrete.ts';
import { DENSITY_PENALTY } from '../../lib/training/tensorNames.ts';
import { syntheticLayout } from '../fixtures/syntheticModel.ts';

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

describe('scores as they start', () => {
  it('are a logit of 1 and the magnitudes at a mean square of 1, whatever their scale', () => {
    for (const scale of [1, 0.01]) {
      const scores = initialLogitScores(Float32Array.of(1 * scale, 7 * scale));
      // The root of the mean of 1 and 49 is 5.
      expect(scores[0]! * 50).toBeCloseTo(1 + 1 / 5, 5);
      expect(scores[1]! * 50).toBeCloseTo(1 + 7 / 5, 5);
    }
  });

  it('are the same for all connections of a layer of zeros, kept with at least 93%', () => {
    const scores = initialLogitScores(new Float32Array(2));
    expect([...scores]).toEqual([Math.fround(1 / 50), Math.fround(1 / 50)]);
    expect(expectedDensity({ click: [scores], conversion: [scores] })).toBeGreaterThan(0.93);
  });
});

it('noise is uniform, another number for each connection and task, and never so near 0 or 1 that its logit is infinite', () => {
  const config = networkConfigSchema.parse({ kind: 'ncs', embeddingWidth: 4, hidden: [12, 6] });
  const shape = networkShape(config, syntheticLayout({}));
  const random = new RandomStream(1);
  const noise = drawNoise(shape, random);
  for (const layers of [noise.click, noise.conversion]) {
    expect(layers.map(({ length }) => length)).toEqual(layerSizes(shape));
  }
  const all = [...noise.click, ...noise.conversion].flatMap((layer) => [...layer]);
  expect(new Set(all).size).toBeGreaterThan(0.99 * all.length);
  expect(all.reduce((total, value) => total + value, 0) / all.length).toBeCloseTo(0.5, 1);
  for (const [uniform, expected] of [
    [0, 1e-6],
    [0.5, 0.5],
    [1 - 2 ** -53, 1 - 1e-6],
  ] as const) {
    random.nextUniform = () => uniform;
    const edge = drawNoise(shape, random).conversion[1]![0]!;
    expect(Math.abs(edge - expected)).toBeLessThan(1e-7);
  }
});
