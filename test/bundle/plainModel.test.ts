import { describe, expect, it } from 'vitest';
import { buildScoringModel } from '../../lib/bundle/buildScoringModel.ts';
import { plainInputs } from '../../lib/bundle/modelInterface.ts';
import { plainColumns } from '../../lib/bundle/plainColumns.ts';
import { plainModel } from '../../lib/bundle/plainModel.ts';
import { type GatheredModel, SCORING_BATCH_ROWS, ScoringSession } from '../../lib/bundle/scoringSession.ts';
import { networkConfigSchema } from '../../lib/network/networkConfig.ts';
import { networkShape } from '../../lib/network/networkShape.ts';
import { decodeModel, tensorInfoOf } from '../../lib/onnx/modelProto.ts';
import { createSession, float32Data } from '../../lib/onnx/session.ts';
import { narrowTable } from '../../lib/quantise/narrowTable.ts';
import { tensorsOf } from '../fixtures/plainFeeds.ts';
import {
  syntheticLayout,
  syntheticMasks,
  syntheticRows,
  syntheticWeights,
} from '../fixtures/syntheticModel.ts';

const layout = syntheticLayout({ singles: 6, lists: [5, 3], numerics: 3, buckets: 40 });
const ncs = { kind: 'ncs', embeddingWidth: 8, hidden: [24, 12] };
const { rows } = syntheticRows(layout, SCORING_BATCH_ROWS, { seed: 3 });

function modelOf(network: unknown, density?: number): GatheredModel {
  const shape = networkShape(networkConfigSchema.parse(network), layout);
  const masks = density === undefined ? undefined : syntheticMasks(shape, density, 5);
  return buildScoringModel(shape, syntheticWeights(shape), masks).model;
}

async function differenceOf(model: GatheredModel): Promise<number> {
  const session = await ScoringSession.create(model, layout);
  for (const name of ['singleRows', 'listRows', 'listWeights', 'dense'] as const) {
    session.rows[name].set(rows[name]);
  }
  const { pctr, pcvr } = await session.score(SCORING_BATCH_ROWS);
  const expected = { pctr: pctr.slice(), pcvr: pcvr.slice() };
  await session.release();
  const plain = await createSession(plainModel(model, layout));
  const outputs = await plain.run(tensorsOf(layout, rows, SCORING_BATCH_ROWS));
  const differences = (['pctr', 'pcvr'] as const).flatMap((name) =>
    [...float32Data(outputs, name)].map((p, row) => Math.abs(p - expected[name][row]!)),
  );
  await plain.release();
  expect(differences).toHaveLength(2 * SCORING_BATCH_ROWS);
  expect(new Set(expected.pctr).size).toBeGreaterThan(100);
  return Math.max(...differences);
}

describe('plainModel', () => {
  it.each<[string, unknown, number | undefined]>([
    ['private columns and masks', { ...ncs, privateEmbeddingWidth: 2 }, 0.2],
    ['inputs that are mostly dead', { ...ncs, privateEmbeddingWidth: 3 }, 0.02],
    ['layers of few weights', { ...ncs, privateEmbeddingWidth: 2, hidden: [200, 12] }, 0.02],
    [
      'three products, and a number gathered twice so that columns are even',
      { ...ncs, privateEmbeddingWidth: 2, cross: { mode: 'upper', fields: ['s4', 's0'] } },
      undefined,
    ],
    ['one input for both tasks', { ...ncs, cross: { mode: 'upper' } }, undefined],
    [
      'crosses of some fields, which are gathered first',
      { ...ncs, privateEmbeddingWidth: 2, cross: { mode: 'upper', fields: ['l1', 's4', 's0'] } },
      undefined,
    ],
    [
      "experts, whose numbers' input is called as that of the file",
      { kind: 'experts', embeddingWidth: 8, hidden: [24], shared: 1, perTask: 1, towers: [6] },
      undefined,
    ],
    ['the logistic network', { kind: 'logistic' }, undefined],
  ])('scores as the bundle within 1e-6: %s', async (_title, network, density) => {
    expect(await differenceOf(modelOf(network, density))).toBeLessThan(1e-6);
  });

  it('takes ids, list weights and numbers, and gives the three scores', () => {
    const { graph } = decodeModel(plainModel(modelOf({ ...ncs, privateEmbeddingWidth: 2 }), layout));
    const shapeOf = (shape: readonly (number | string | null)[]) =>
      shape.map((size) => (typeof size === 'number' ? size : 'B'));
    expect(graph.input.map(tensorInfoOf).map(({ name, shape }) => [name, shapeOf(shape)])).toEqual(
      plainInputs(layout).map(({ name, shape }) => [name, shapeOf(shape)]),
    );
    expect(graph.output.map(({ name }) => name)).toEqual(['pctr', 'pcvr', 'pctcvr']);
  });

  it('tells in its metadata what every column of its inputs is', () => {
    const { metadataProps } = decodeModel(plainModel(modelOf(ncs), layout));
    expect(metadataProps).toHaveLength(1);
    expect(metadataProps![0]!.key).toBe('ncs4cvr.columns');
    expect(JSON.parse(metadataProps![0]!.value)).toEqual(plainColumns(layout));
  });

  it('holds the numbers that tables in fewer bits stand for', async () => {
    const model = modelOf({ ...ncs, privateEmbeddingWidth: 2 });
    for (const elementType of ['F16', 'I8'] as const) {
      const tables = model.tables.map((table) => narrowTable(table, elementType));
      expect(await differenceOf({ ...model, tables })).toBeLessThan(1e-6);
    }
  });

  it('refuses tables that do not fit into one file before it takes memory for them', () => {
    const model = modelOf({ ...ncs, privateEmbeddingWidth: 2 });
    const large = { ...layout, embeddingRowCount: 60_000_000 };
    expect(() => plainModel(model, large)).toThrow(
      "GRAPH_TOO_LARGE: the embeddings don't fit into one ONNX file (expected at most 2130706432 bytes, found 2400000000 bytes, 60000000 rows of 10)",
    );
  });
});
