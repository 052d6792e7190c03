import type { InferenceSession } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { buildPlainGraph } from '../../lib/bundle/buildPlainGraph.ts';
import { buildScoringModel } from '../../lib/bundle/buildScoringModel.ts';
import { planFirstLayer } from '../../lib/bundle/firstLayerPlan.ts';
import type { GatheredInput } from '../../lib/bundle/gatherPlan.ts';
import { SCORING_BATCH_ROWS, ScoringSession } from '../../lib/bundle/scoringSession.ts';
import { readLayer } from '../../lib/bundle/sparseLayers.ts';
import { type EncodedRows, sliceEncodedRows } from '../../lib/features/encodedRows.ts';
import { networkConfigSchema } from '../../lib/network/networkConfig.ts';
import { type ModelWeights, type NetworkShape, networkShape } from '../../lib/network/networkShape.ts';
import { type DenseLayer, pruneTrunk } from '../../lib/network/pruneTrunk.ts';
import { allOnesMasks, type TaskMasks } from '../../lib/network/taskMasks.ts';
import { decodeModel } from '../../lib/onnx/modelProto.ts';
import { createSession, float32Data } from '../../lib/onnx/session.ts';
import { ForwardPass } from '../../lib/training/forwardPass.ts';
import { tensorsOf } from '../fixtures/plainFeeds.ts';
import {
  syntheticLayout,
  syntheticMasks,
  syntheticRows,
  syntheticWeights,
} from '../fixtures/syntheticModel.ts';

/** As trained weights are: scores that spread, sums of a few units. */
const SCALE = 0.5;
const ROWS = 10_000;
const layout = syntheticLayout({ singles: 6, lists: [5, 3], numerics: 3, buckets: 40 });
const ncs = { kind: 'ncs', embeddingWidth: 8, hidden: [48, 24, 12] };

function modelOf(network: unknown): { shape: NetworkShape; weights: ModelWeights } {
  const shape = networkShape(networkConfigSchema.parse(network), layout);
  const { embeddings, parameters } = syntheticWeights(shape);
  const scaled = (values: Float32Array) => values.map((value) => SCALE * value);
  return {
    shape,
    weights: {
      embeddings: scaled(embeddings),
      parameters: new Map([...parameters].map(([name, values]) => [name, scaled(values)])),
    },
  };
}

type Scores = { readonly pctr: Float32Array; readonly pcvr: Float32Array };

/** Scores of all rows, batch by batch. */
async function scoresOf(
  rows: EncodedRows,
  score: (batch: EncodedRows, count: number) => Promise<Scores>,
): Promise<Scores> {
  const found = { pctr: new Float32Array(ROWS), pcvr: new Float32Array(ROWS) };
  for (let start = 0; start < ROWS; start += SCORING_BATCH_ROWS) {
    const end = Math.min(ROWS, start + SCORING_BATCH_ROWS);
    const scores = await score(sliceEncodedRows(layout, rows, start, end), end - start);
    found.pctr.set(scores.pctr, start);
    found.pcvr.set(scores.pcvr, start);
  }
  return found;
}

function largestDifference(a: Scores, b: Scores): number {
  const differences = (['pctr', 'pcvr'] as const).flatMap((name) =>
    [...a[name]].map((p, i) => Math.abs(p - b[name][i]!)),
  );
  return differences.reduce((largest, each) => Math.max(largest, each), 0);
}

const cases: readonly [string, unknown, number | undefined][] = [
  ['no masks, private columns', { ...ncs, privateEmbeddingWidth: 2 }, undefined],
  ['no masks, everything shared', ncs, undefined],
  [
    'masks of density .2, private columns',
    { ...ncs, privateEmbeddingWidth: 2, cross: { mode: 'upper' } },
    0.2,
  ],
  ['masks of density .02, private columns', { ...ncs, privateEmbeddingWidth: 3 }, 0.02],
  ['masks of density .2, everything shared', { ...ncs, cross: { mode: 'upper' } }, 0.2],
  ['masks of density .2 and separate embeddings', { ...ncs, privateEmbeddingWidth: 8 }, 0.2],
  [
    'crosses of some fields',
    { ...ncs, privateEmbeddingWidth: 2, cross: { mode: 'upper', fields: ['l1', 's4', 's0'] } },
    0.1,
  ],
  ['no crosses', { ...ncs, privateEmbeddingWidth: 2, cross: { mode: 'none' } }, 0.1],
  [
    'experts',
    { kind: 'experts', embeddingWidth: 8, hidden: [24, 12], shared: 1, perTask: 1, towers: [6] },
    undefined,
  ],
  [
    'experts on separate embeddings',
    { kind: 'experts', embeddingWidth: 6, hidden: [24], shared: 0, perTask: 2, embeddings: 'perTask' },
    undefined,
  ],
  ['the logistic network', { kind: 'logistic' }, undefined],
];

describe.each(cases)('with %s, on 10,000 rows', (_title, network, density) => {
  const { shape, weights } = modelOf(network);
  const masks = density === undefined ? undefined : syntheticMasks(shape, density, 5);
  const { rows, ...labels } = syntheticRows(layout, ROWS, { seed: 3 });

  it('the bundle scores as the training graph and as the plain graph, within 1e-6', async () => {
    const forward = await ForwardPass.create(shape, masks, 1);
    const trained = await forward.predict(weights, { rows, ...labels });
    await forward.release();
    const session = await ScoringSession.create(buildScoringModel(shape, weights, masks).model, layout);
    const scored = await scoresOf(rows, async (batch, count) => {
      for (const name of ['singleRows', 'listRows', 'listWeights', 'dense'] as const) {
        session.rows[name].set(batch[name]);
      }
      return session.score(count);
    });
    await session.release();
    const plain: InferenceSession = await createSession(buildPlainGraph(shape, weights, masks));
    const whole = await scoresOf(rows, async (batch, count) => {
      const outputs = await plain.run(tensorsOf(layout, batch, count));
      return { pctr: float32Data(outputs, 'pctr'), pcvr: float32Data(outputs, 'pcvr') };
    });
    await plain.release();
    expect(new Set(scored.pctr).size).toBeGreaterThan(100);
    expect(largestDifference(scored, trained)).toBeLessThan(1e-6);
    expect(largestDifference(scored, whole)).toBeLessThan(1e-6);
  });
});

describe('multiply-adds', () => {
  const { shape, weights } = modelOf({ ...ncs, privateEmbeddingWidth: 2 });
  const cost = (masks?: TaskMasks) => buildScoringModel(shape, weights, masks).multiplyAddsPerRow;

  it('are those of the matrix products: the trained ones of the whole trunk, the scored ones of what is left', () => {
    // Two tasks; 8 fields of width 8 crossed in full, 64 products of which 36 differ; 6 numbers.
    const trunk = (inputs: number) => inputs * 48 + 48 * 24 + 24 * 12 + 12;
    expect(cost()).toEqual({
      trained: 2 * (64 * 8 + trunk(64 + 64 + 6)),
      scored: 2 * (36 * 8 + trunk(36 + 64 + 6)),
    });
    expect(cost(allOnesMasks(shape))).toEqual(cost());
  });

  it('fall with the density of the masks', () => {
    const scored = [0.5, 0.1, 0.02].map((density) => cost(syntheticMasks(shape, density)).scored);
    expect(scored[1]!).toBeLessThan(scored[0]!);
    expect(scored[2]!).toBeLessThan(0.5 * scored[0]!);
  });

  it('of layers with few weights are those of the weights, for they are computed without the zeros', () => {
    const wide = modelOf({ ...ncs, privateEmbeddingWidth: 2, hidden: [256, 32] });
    const masks = {
      click: syntheticMasks(wide.shape, 0.2).click,
      conversion: syntheticMasks(wide.shape, 0.02).conversion,
    };
    const { model, multiplyAddsPerRow } = buildScoringModel(wide.shape, wide.weights, masks);
    const [click, conversion] = model.inputs as [GatheredInput, GatheredInput];
    expect(click.layers).toBeUndefined();
    const weights = conversion.layers!.map((layer) => readLayer(layer).weights.length);
    expect(weights[0]!).toBeLessThan(0.03 * 106 * 256);
    const { graph } = decodeModel(model.modelBytes);
    const matrices = graph.initializer.flatMap(({ dims: [rows, units] }) =>
      units === undefined ? [] : [rows! * units],
    );
    const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0);
    const pairs = [click, conversion].map(({ products }) => products!.pairs.length);
    expect(multiplyAddsPerRow.scored).toBe(sum(matrices) + sum(weights) + 8 * sum(pairs));
  });

  it('are more than the trained ones by a column of zeros where nothing can be left out and the inputs are odd', () => {
    const oneField = (embeddingWidth: number) => {
      const config = networkConfigSchema.parse({ kind: 'ncs', embeddingWidth, hidden: [8, 5] });
      const shape = networkShape(config, syntheticLayout({ singles: 1, lists: [], numerics: 0 }));
      return buildScoringModel(shape, syntheticWeights(shape), undefined).multiplyAddsPerRow;
    };
    // One product, and as many columns as the field is wide; then 8 units, 5 and two heads.
    const cost = (width: number, inputs: number) => width + inputs * 8 + 8 * 5 + 2 * 5;
    expect(oneField(3)).toEqual({ trained: cost(3, 4), scored: cost(3, 4) });
    expect(oneField(4)).toEqual({ trained: cost(4, 5), scored: cost(4, 6) });
  });

  it('of layers that both tasks compute alike are counted and computed once', () => {
    const shared = modelOf(ncs);
    const built = buildScoringModel(shared.shape, shared.weights, undefined);
    expect(built.model.inputs.map(({ name }) => name)).toEqual(['rows']);
    const { graph } = decodeModel(built.model.modelBytes);
    // Three layers and two heads.
    expect(graph.node.filter(({ opType }) => opType === 'Gemm')).toHaveLength(5);
    const half = syntheticMasks(shared.shape, 0.5);
    const split = {
      click: half.click,
      conversion: [half.click[0]!, half.conversion[1]!, half.conversion[2]!],
    };
    const splitGraph = decodeModel(
      buildScoringModel(shared.shape, shared.weights, split).model.modelBytes,
    ).graph;
    expect(splitGraph.node.filter(({ opType }) => opType === 'Gemm')).toHaveLength(7);
  });
});

describe('what is gathered', () => {
  const { shape } = modelOf({
    ...ncs,
    privateEmbeddingWidth: 2,
    cross: { mode: 'upper', fields: ['s4', 's1', 'l0'] },
  });
  /** One unit that reads the given rows of the first layer's weights. */
  const reading = (...rows: number[]): DenseLayer[] => {
    const weight = new Float32Array(6 + 64 + 6);
    for (const row of rows) weight[row] = 1;
    return [{ name: 'a', isHead: false, inputs: 76, units: 1, weight, bias: new Float32Array(1) }];
  };
  const pairs = 6;
  const rowOf = (field: number, column: number) => pairs + 8 * field + column;

  it('is nothing that no unit reads: pairs of columns, joined across gaps of one pair, and single numbers', () => {
    const plan = planFirstLayer(
      shape,
      'click',
      ['click'],
      reading(rowOf(0, 1), rowOf(0, 4), rowOf(2, 0), rowOf(2, 7), 6 + 64 + 3, 6 + 64 + 5),
    );
    expect(plan.input).toEqual({
      name: 'click',
      blocks: [
        { field: 0, from: 0, to: 6 },
        { field: 2, from: 0, to: 2 },
        { field: 2, from: 6, to: 8 },
      ],
      columns: [3, 5],
    });
    const _ = undefined;
    expect(plan.rows).toEqual([
      ...[_, rowOf(0, 1), _, _, rowOf(0, 4), _],
      ...[rowOf(2, 0), _, _, rowOf(2, 7)],
      ...[73, 75],
    ]);
    expect(plan.input.products).toBeUndefined();
  });

  it('is an even number of columns, so that rows begin at even places: a number is gathered again without weights', () => {
    const plan = planFirstLayer(shape, 'click', ['click'], reading(6 + 64 + 5));
    expect(plan.input).toEqual({ name: 'click', blocks: [], columns: [5, 0] });
    expect(plan.rows).toEqual([75, undefined]);
  });

  it('is whole fields first where a pair has a weight, and those pairs alone are in use', () => {
    // Pairs of (s4, s1, l0): 00 01 02 11 12 22; l0 is field 6.
    const plan = planFirstLayer(shape, 'click', ['click'], reading(2, rowOf(4, 3)));
    expect(plan.input.blocks).toEqual([
      { field: 4, from: 0, to: 8 },
      { field: 6, from: 0, to: 8 },
    ]);
    // The product is one column more, and a number makes them even.
    expect(plan.input.columns).toEqual([0]);
    expect(plan.input.products).toEqual({ input: 'click', pairs: [[0, 1]] });
    expect(plan.rows.flatMap((row, at) => (row === undefined ? [] : [[at, row]]))).toEqual([
      [3, rowOf(4, 3)],
      [17, 2],
    ]);
  });

  it('is no product without a weight', () => {
    const wide = modelOf({ ...ncs, hidden: [256] });
    const layer = pruneTrunk(wide.shape, wide.weights, undefined).shared[0]!;
    const only = layer.weight.map((value, i) => (i < 256 * 7 || i >= 256 * 36 ? value : 0));
    const plan = planFirstLayer(wide.shape, 'rows', ['click', 'conversion'], [{ ...layer, weight: only }]);
    expect(plan.input.products!.pairs).toEqual([0, 1, 2, 3, 4, 5, 6].map((block) => [0, block]));
    expect(plan.rows.slice(-7)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it('are the columns that a task sees, those of conversions in the order of the matrix', () => {
    const ofConversion = planFirstLayer(
      shape,
      'conversion',
      ['conversion'],
      reading(rowOf(0, 0), rowOf(0, 1), rowOf(0, 2), rowOf(0, 3)),
    );
    // It sees its own columns 8 and 9 first, then the shared ones, 2 to 7.
    expect(ofConversion.input.blocks).toEqual([
      { field: 0, from: 2, to: 4 },
      { field: 0, from: 8, to: 10 },
    ]);
    expect(ofConversion.rows).toEqual([2, 3, 0, 1].map((column) => rowOf(0, column)));
  });

  it('is something even where no score depends on anything', () => {
    const plan = planFirstLayer(shape, 'conversion', ['conversion'], reading());
    expect(plan.input).toEqual({ name: 'conversion', blocks: [], columns: [0, 0] });
    expect(plan.rows).toEqual([undefined, undefined]);
  });
});
