import { describe, expect, it } from 'vitest';
import { buildScoringModel } from '../../lib/bundle/buildScoringModel.ts';
import { type GatheredModel, SCORING_BATCH_ROWS, ScoringSession } from '../../lib/bundle/scoringSession.ts';
import { networkConfigSchema } from '../../lib/network/networkConfig.ts';
import { networkShape } from '../../lib/network/networkShape.ts';
import { decodeModel } from '../../lib/onnx/modelProto.ts';
import { quantiseModel } from '../../lib/quantise/quantiseModel.ts';
import type { TrainingSet } from '../../lib/training/trainingSet.ts';
import {
  syntheticLayout,
  syntheticMasks,
  syntheticRows,
  syntheticWeights,
} from '../fixtures/syntheticModel.ts';

const layout = syntheticLayout({ singles: 6, lists: [5, 3], numerics: 3, buckets: 40 });
const ncs = { kind: 'ncs', embeddingWidth: 8, hidden: [48, 32] };
const calibration = syntheticRows(layout, 2048, { seed: 3 });
const others = syntheticRows(layout, SCORING_BATCH_ROWS, { seed: 4 });

function modelOf(network: unknown, density?: number, conversionDensity = density): GatheredModel {
  const shape = networkShape(networkConfigSchema.parse(network), layout);
  const { embeddings, parameters } = syntheticWeights(shape);
  // As trained weights are: scores that spread.
  const halved = (values: Float32Array) => values.map((value) => value / 2);
  const weights = {
    embeddings: halved(embeddings),
    parameters: new Map([...parameters].map(([name, values]) => [name, halved(values)])),
  };
  const masksOf = (share: number) => syntheticMasks(shape, share, 5);
  const masks =
    density === undefined
      ? undefined
      : { click: masksOf(density).click, conversion: masksOf(conversionDensity!).conversion };
  return buildScoringModel(shape, weights, masks).model;
}

/** Scores of rows behind each other, from place `at` of the batch. */
async function scoresOf(model: GatheredModel, { rows }: TrainingSet, order?: readonly number[]) {
  const session = await ScoringSession.create(model, layout);
  const widths = {
    singleRows: layout.singles.length,
    listRows: layout.listWidth,
    listWeights: layout.listWidth,
    dense: layout.denseWidth,
  };
  const chosen = order ?? Array.from({ length: SCORING_BATCH_ROWS }, (_, row) => row);
  for (const [name, width] of Object.entries(widths) as [keyof typeof widths, number][]) {
    chosen.forEach((row, at) => {
      session.rows[name].set(rows[name].subarray(row * width, (row + 1) * width), at * width);
    });
  }
  const { pctr, pcvr } = await session.score(chosen.length);
  const scores = { pctr: pctr.slice(), pcvr: pcvr.slice() };
  await session.release();
  return scores;
}

const TASK_SCORES = ['pctr', 'pcvr'] as const;

/** Root mean square of the errors, in standard deviations of the scores. */
function relativeError(expected: Float32Array, found: Float32Array): number {
  const squares = (values: Float32Array, from: (row: number) => number) =>
    values.reduce((sum, value, row) => sum + (value - from(row)) ** 2, 0);
  const mean = expected.reduce((sum, score) => sum + score, 0) / expected.length;
  return Math.sqrt(squares(found, (row) => expected[row]!) / squares(expected, () => mean));
}

describe('quantiseModel', () => {
  it.each<[string, unknown, number | undefined, number]>([
    ['private columns', { ...ncs, privateEmbeddingWidth: 2 }, undefined, 4],
    ['private columns and masks', { ...ncs, privateEmbeddingWidth: 2 }, 0.2, 4],
    ['layers that both tasks share', { ...ncs, cross: { mode: 'upper' } }, undefined, 2],
    [
      'experts',
      { kind: 'experts', embeddingWidth: 8, hidden: [32, 32], shared: 1, perTask: 1 },
      undefined,
      6,
    ],
  ])('scores as the float model, layers in integers: %s', async (_title, network, density, layers) => {
    const model = modelOf(network, density);
    const integers = await quantiseModel(model, layout, calibration);
    const { graph } = decodeModel(integers!.modelBytes);
    const weights = graph.initializer.filter(({ name }) => name.endsWith('.weight.constant'));
    expect(weights).toHaveLength(layers);
    const [expected, found] = [await scoresOf(model, others), await scoresOf(integers!, others)];
    for (const task of TASK_SCORES) {
      const error = relativeError(expected[task], found[task]);
      expect(error).toBeGreaterThan(0);
      expect(error).toBeLessThan(0.05);
    }
  });

  it('gives numbers and products inputs of their own, so that embeddings keep their integers where numbers reach far', async () => {
    const model = modelOf({ ...ncs, privateEmbeddingWidth: 2 });
    expect(model.inputs.map(({ name, columns }) => [name, columns.length])).toEqual([
      ['click', 6],
      ['conversion', 6],
    ]);
    // A number that is often 50, as one that isn't standardised.
    const dense = calibration.rows.dense.map((x, i) => (i % 6 === 0 ? x + 50 : x));
    const far = { ...calibration, rows: { ...calibration.rows, dense } };
    const integers = await quantiseModel(model, layout, far);
    const { initializer } = decodeModel(integers!.modelBytes).graph;
    const stepOf = (input: string) => {
      const { rawData } = initializer.find(({ name }) => name === `quantised:${input}.step.constant`)!;
      return new Float32Array(rawData.slice().buffer)[0]!;
    };
    expect(stepOf('click.numbers')).toBeGreaterThan(40 / 255);
    expect(stepOf('click')).toBeLessThan(10 / 255);
    expect(
      integers!.inputs.map(({ name, blocks, columns }) => [name, blocks.length, columns.length]),
    ).toEqual([
      ['click', 8, 0],
      ['click.numbers', 0, 6],
      ['click.products', 0, 0],
      ['conversion', 8, 0],
      ['conversion.numbers', 0, 6],
      ['conversion.products', 0, 0],
    ]);
    expect(integers!.inputs[2]!.products).toEqual(model.inputs[0]!.products);
  });

  it('leaves layers that are computed while gathering as they are, and reads their units as bytes', async () => {
    const model = modelOf({ ...ncs, privateEmbeddingWidth: 2, hidden: [200, 64, 32] }, 0.2, 0.04);
    const [, conversion] = model.inputs;
    expect(conversion!.layers!.length).toBeGreaterThan(0);
    const integers = await quantiseModel(model, layout, calibration);
    expect(integers!.inputs.at(-1)).toEqual(conversion);
    const { graph } = decodeModel(integers!.modelBytes);
    const readers = graph.node.filter(({ input }) => input.includes('conversion'));
    expect(readers.map(({ opType }) => opType)).toEqual(['QuantizeLinear']);
    const [expected, found] = [await scoresOf(model, others), await scoresOf(integers!, others)];
    // Scores of so few weights spread less.
    for (const task of TASK_SCORES) expect(relativeError(expected[task], found[task])).toBeLessThan(0.1);
  });

  it('tells a flag that no calibration row has set from one that is not set', async () => {
    const width = layout.denseWidth;
    const unset = (values: Float32Array) => values.map((x, i) => (i % 2 === 1 ? 0 : 0.01 * x));
    const never = { ...calibration, rows: { ...calibration.rows, dense: unset(calibration.rows.dense) } };
    const integers = await quantiseModel(modelOf({ ...ncs, privateEmbeddingWidth: 2 }), layout, never);
    const withFlag = (flag: number) => {
      const dense = unset(others.rows.dense).map((x, i) => (i % width === 1 ? flag : x));
      return { ...others, rows: { ...others.rows, dense } };
    };
    const scores = await Promise.all([0, 0.5, 1].map((flag) => scoresOf(integers!, withFlag(flag))));
    const [zero, half, one] = scores.map(({ pctr }) => pctr[0]!) as [number, number, number];
    // Half of the way at a half: the grid reaches to 1 and isn't cut off before.
    expect(Math.abs(one - zero)).toBeGreaterThan(0.005);
    expect((half - zero) / (one - zero)).toBeGreaterThan(0.3);
    expect((half - zero) / (one - zero)).toBeLessThan(0.7);
  });

  it('gives a row the same bits at any place, beside any rows', async () => {
    const integers = await quantiseModel(
      modelOf({ ...ncs, privateEmbeddingWidth: 2 }, 0.2),
      layout,
      calibration,
    );
    const inOrder = await scoresOf(integers!, others);
    const order = Array.from({ length: 300 }, (_, at) => (at * 181) % SCORING_BATCH_ROWS);
    const mixed = await scoresOf(integers!, others, order);
    for (const task of TASK_SCORES) {
      expect([...mixed[task]]).toEqual(order.map((row) => inOrder[task][row]));
    }
  });

  it('finds nothing to do in a logistic network', async () => {
    expect(await quantiseModel(modelOf({ kind: 'logistic' }), layout, calibration)).toBeUndefined();
  });
});
