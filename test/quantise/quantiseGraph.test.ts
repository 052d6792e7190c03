import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { InferenceSession } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../lib/onnx/graphBuilder.ts';
import { decodeModel, encodeModel } from '../../lib/onnx/modelProto.ts';
import { add, concat, matmul, relu } from '../../lib/onnx/ops.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { INPUTS, quantised, randomFeeds, run, scoresOf, smallNetwork } from './smallNetwork.ts';

const folder = temporaryFolder();

const repeated = (feeds: ReturnType<typeof randomFeeds>, row: number, times: number) => {
  const take = (name: keyof typeof INPUTS) => {
    const values = feeds[name].subarray(row * INPUTS[name], (row + 1) * INPUTS[name]);
    return Float32Array.from({ length: times * values.length }, (_, i) => values[i % values.length]!);
  };
  return { crossed: take('crossed'), raw: take('raw'), dense: take('dense') };
};

/** One layer of equal weights whose sums are read as floats, in integers, and rows of which every input is .5. */
async function fullLayer(weight: number) {
  const graph = new GraphBuilder();
  const inputs = Object.entries(INPUTS).map(([name, width]) => graph.input(name, ['B', width]));
  const product = matmul(graph, concat(graph, inputs, 1), graph.parameter('weight', [68, 64]));
  graph.output('sums', relu(graph, add(graph, product, graph.parameter('bias', [64]))));
  const parameters = new Map([
    ['weight', new Float32Array(68 * 64).fill(weight)],
    ['bias', new Float32Array(64).fill(10)],
  ]);
  const full = (name: keyof typeof INPUTS) => new Float32Array(512 * INPUTS[name]).fill(0.5);
  const feeds = { crossed: full('crossed'), raw: full('raw'), dense: full('dense') };
  return { integers: await quantised(decodeModel(graph.build({ parameters })), feeds), feeds };
}

describe('quantiseGraph', () => {
  it('scores unseen rows as the float model does, within two hundredths, and right on average', async () => {
    const model = smallNetwork(1);
    const integers = await quantised(model, randomFeeds(2, 2048));
    const feeds = randomFeeds(3, 4096);
    const [expected, found] = [await scoresOf(model, feeds), await scoresOf(integers, feeds)];
    const errors = found.map((score, row) => score - expected[row]!);
    // Scores have a standard deviation of .2.
    expect(Math.max(...errors.map(Math.abs))).toBeLessThan(0.02);
    expect(Math.abs(errors.reduce((sum, error) => sum + error, 0) / errors.length)).toBeLessThan(5e-4);
    expect(errors.some((error) => error !== 0)).toBe(true);
  });

  it('becomes one integer kernel a layer in ONNX Runtime, and needs standard operators only', async () => {
    const integers = await quantised(smallNetwork(1), randomFeeds(2, 512));
    expect(integers.graph.node.map(({ domain }) => domain)).toEqual(integers.graph.node.map(() => ''));
    const optimised = join(folder, 'optimised.onnx');
    const session = await InferenceSession.create(encodeModel(integers), {
      optimizedModelFilePath: optimised,
    });
    await session.release();
    const operators = decodeModel(readFileSync(optimised)).graph.node.map(({ opType }) => opType);
    expect(operators.filter((type) => type === 'QGemm')).toHaveLength(2);
    expect(operators.filter((type) => /Gemm|MatMul/.test(type))).toEqual(['QGemm', 'QGemm', 'MatMul']);
    expect(operators).not.toContain('Relu');
  });

  it('gives a row the same bits wherever it stands and whatever stands beside it', async () => {
    const integers = await quantised(smallNetwork(1), randomFeeds(2, 512));
    const feeds = randomFeeds(3, 512);
    const together = await scoresOf(integers, feeds);
    for (const row of [0, 7, 300, 511]) {
      const alone = await scoresOf(integers, repeated(feeds, row, 512));
      expect(new Set(alone)).toEqual(new Set([together[row]!]));
    }
  });

  it('cuts off what lies beyond the calibrated range', async () => {
    const integers = await quantised(smallNetwork(1), randomFeeds(2, 512));
    const row = repeated(randomFeeds(3, 1), 0, 512);
    const far = async (value: number) => scoresOf(integers, { ...row, dense: row.dense.map(() => value) });
    expect(await far(1e3)).toEqual(await far(1e30));
    expect(await far(1e3)).not.toEqual(await far(-1e3));
  });

  it('is exact at the largest sums that bytes and weights give, where 16 bits are full', async () => {
    for (const weight of [0.25, -0.25]) {
      // Every weight is the largest and every input stands at the upper end of its range: 68 products of 255 and 64.
      const { integers, feeds } = await fullLayer(weight);
      const sums = (await run(integers, feeds, ['sums'])).get('sums')!;
      expect(new Set(sums).size).toBe(1);
      expect(sums[0]).toBeCloseTo(10 + 68 * weight * 0.5, 3);
      const weights = integers.graph.initializer.find(({ name }) => name.endsWith('.weight.constant'))!;
      const largest = Math.max(...new Int8Array(weights.rawData.slice().buffer).map(Math.abs));
      expect(largest).toBe(64);
      // What vpmaddubsw of AVX2 adds in 16 bits.
      expect(2 * 255 * largest).toBeLessThan(2 ** 15);
    }
  });

  it('leaves a quarter of the bytes of the layers', async () => {
    const model = smallNetwork(1);
    const sizeOf = ({ graph }: typeof model) =>
      graph.initializer.reduce((sum, { rawData }) => sum + rawData.length, 0);
    // Scales and zeros of 96 units come on top.
    expect(sizeOf(await quantised(model, randomFeeds(2, 512)))).toBeLessThan(sizeOf(model) / 4 + 96 * 12);
  });
});
