import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isDirect } from '../../lib/bundle/directInput.ts';
import { loadBundle } from '../../lib/bundle/loadBundle.ts';
import { plainModel } from '../../lib/bundle/plainModel.ts';
import { gatheredModel } from '../../lib/bundle/scoringSession.ts';
import { GraphBuilder } from '../../lib/onnx/graphBuilder.ts';
import { decodeModel } from '../../lib/onnx/modelProto.ts';
import { multiply, reduceSum, sigmoid } from '../../lib/onnx/ops.ts';
import { readOwnContract } from '../../lib/ownModel/readOwnContract.ts';
import { exportSmaller } from '../../lib/quantise/exportSmaller.ts';
import { evaluateInput } from '../../lib/scoring/evaluateInput.ts';
import { scoreInput } from '../../lib/scoring/scoreInput.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { withExternalData } from '../fixtures/externalData.ts';
import { OWN_BOUNDARIES, OWN_VALUES } from '../fixtures/ownContract.ts';
import { OWN_WIDTH, type OwnModelOptions, ownModel } from '../fixtures/ownModel.ts';
import { type FunnelRow, funnelRows, TINY_DATES } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { floats, readTable } from '../scoring/readScores.ts';
import { ownBundles } from './ownBundles.ts';

const { folder, data, layoutOf, bundled } = ownBundles();
const newest = join(data, `dt=${TINY_DATES[2]}`);

async function scoresOf(bundleUri: string, name: string) {
  const output = join(folder, name);
  const bundle = await loadBundle(localDisk, bundleUri);
  await scoreInput(newest, output, bundle, { workers: 1 });
  const table = readTable(join(output, 'part-0.arrow'));
  return { pctr: floats(table, 'pctr'), pcvr: floats(table, 'pcvr'), pctcvr: floats(table, 'pctcvr') };
}

/** The formula of ownModel, on a row as it stands in the shard, in float64. */
function expectedScores(row: FunnelRow, parameters: ReadonlyMap<string, Float32Array>): number[] {
  const idIn = (values: readonly unknown[], value: unknown) => values.indexOf(value) + 1;
  const embedding = (feature: string, ids: readonly number[]) => {
    const table = parameters.get(`${feature}_table`)!;
    return Array.from({ length: OWN_WIDTH }, (_, column) =>
      ids.reduce((sum, id) => sum + table[id * OWN_WIDTH + column]!, 0),
    );
  };
  const { price, tags } = row;
  const bucket = price === null ? 0 : 1 + OWN_BOUNDARIES.filter((end) => price > end).length;
  const taken = (tags ?? []).filter((tag) => tag !== null).slice(0, 4);
  const recent = row.recent_item_ids.slice(-3);
  const known = (ids: readonly number[]) => ids.filter((id) => id > 0);
  const inputs = [
    embedding('user_id', [idIn(OWN_VALUES.user, row.user_id)]),
    embedding('item_id', [idIn(OWN_VALUES.item, row.item_id)]),
    embedding('device', [idIn(OWN_VALUES.device, row.device)]),
    embedding('price', [bucket]),
    embedding('tags', known(taken.map((tag) => idIn(OWN_VALUES.tags, tag)))),
    embedding('recent_item_ids', known(recent.map((item) => idIn(OWN_VALUES.item, item)))),
    [row.age === null ? 0 : (row.age - 40) / 20],
  ].flat();
  const weight = parameters.get('weight')!;
  return [0, 1].map((column) => {
    const logit = inputs.reduce((sum, input, at) => sum + input * weight[2 * at + column]!, 0);
    return 1 / (1 + Math.exp(-logit));
  });
}

describe('a bundle of an ONNX file', () => {
  it.each<[string, OwnModelOptions]>([
    ['flat int64 ids', {}],
    ['columns of int32 ids', { idType: 'int32', isColumn: true }],
    ['a fixed batch of 512', { batch: 512 }],
  ])('gives the scores of its formula on raw rows, ids as the model has them: %s', async (name, options) => {
    const { bytes, parameters } = ownModel(layoutOf(), options);
    await bundled(name, bytes);
    const scores = await scoresOf(join(folder, name), `${name} scores`);
    const rows = funnelRows(TINY_DATES[2], 1500);
    expect(scores.pctr).toHaveLength(rows.length);
    const apart = rows.flatMap((row, at) => {
      const [pctr, pcvr] = expectedScores(row, parameters);
      return [scores.pctr[at]! - pctr!, scores.pcvr[at]! - pcvr!].map(Math.abs);
    });
    // Sums of twenty float32 products of size 1.
    expect(Math.max(...apart)).toBeLessThan(1e-6);
    expect(scores.pctcvr).toEqual(scores.pctr.map((pctr, at) => Math.fround(pctr * scores.pcvr[at]!)));
    expect(new Set(scores.pctr).size).toBeGreaterThan(1000);
  });

  it('holds the very bytes of the file, with one entry of metadata behind them, and says where it comes from', async () => {
    const { bytes } = ownModel(layoutOf());
    const { bundle, notes } = await bundled('bytes', bytes);
    const stored = bundle.model.modelBytes;
    expect(Buffer.from(stored.subarray(0, bytes.length)).equals(bytes)).toBe(true);
    expect(decodeModel(stored).metadataProps).toHaveLength(1);
    expect(bundle.manifest.network).toMatchObject({
      kind: 'own',
      file: 'bytes.onnx',
      producer: 'ncs4cvr',
      opset: 17,
    });
    expect(bundle.manifest.inputs.every(isDirect)).toBe(true);
    expect(bundle.manifest.labels).toBeUndefined();
    expect(bundle.reference).toMatchObject({
      rows: 1500,
      days: TINY_DATES.map((day) => ({ day, rows: 1500 })),
    });
    expect(bundle.reference!.rates).toBeUndefined();
    await expect(evaluateInput(newest, bundle, 1)).rejects.toThrow('BUNDLE_NO_LABELS');
    expect(notes).toEqual([]);
  });

  it('takes in weights that lie in files beside the model, and scores as if they had always been there', async () => {
    const whole = ownModel(layoutOf()).bytes;
    const { model, data: files } = withExternalData(whole, (name) =>
      name === 'weight' ? undefined : `outside/${name === 'user_id_table' ? 'users' : 'rest'}.data`,
    );
    mkdirSync(join(folder, 'outside'));
    for (const [location, bytes] of files) writeFileSync(join(folder, location), bytes);
    const [inside, outside] = [await bundled('inside', whole), await bundled('taken-in', model)];
    const tensorsOf = ({ bundle }: typeof inside) =>
      decodeModel(bundle.model.modelBytes).graph.initializer.map(({ name, rawData }) => [
        name,
        Buffer.from(rawData).toString('hex'),
      ]);
    expect(tensorsOf(outside)).toEqual(tensorsOf(inside));
    expect([inside.notes, outside.notes]).toEqual([
      [],
      ['weights of outside/rest.data, outside/users.data were taken into the model'],
    ]);
    // The bundle stands alone.
    rmSync(join(folder, 'outside'), { recursive: true });
    const scores = await scoresOf(join(folder, 'taken-in'), 'taken-in scores');
    expect(scores).toEqual(await scoresOf(join(folder, 'inside'), 'inside scores'));
  });

  it('has metrics, rates and slices where labels are named, the ones that evaluate finds', async () => {
    const labels = { click: 'click', conversion: 'conversion' };
    const config = { modelVersion: 'mine-1', labels, slices: ['device'] };
    const { bundle, metrics } = await bundled('labelled', ownModel(layoutOf()).bytes, config);
    expect(bundle.manifest).toMatchObject({ modelVersion: 'mine-1', labels });
    expect(bundle.reference!.rates!.click).toBeGreaterThan(0.3);
    expect(bundle.reference!.slices.map(({ values }) => values)).toEqual([
      expect.arrayContaining(['phone', 'tablet', 'tv']),
    ]);
    const evaluated = await evaluateInput(newest, bundle, 1);
    expect(evaluated.click.auc).toBeCloseTo(metrics!.click.auc!, 12);
    expect(evaluated.conversion.rows).toBe(metrics!.conversion.rows);
  });

  it('takes values beside each other as the config lists them, and tells of features that nothing reads', async () => {
    const graph = new GraphBuilder();
    const numbers = graph.input('numbers', ['B', 2]);
    const items = graph.input('items', ['B', 4], { elementType: 'int64' });
    const parts = [
      numbers,
      graph.node('Cast', [items], {
        shape: ['B', 4],
        attributes: [{ name: 'to', type: 2, i: 1 }],
      }),
    ];
    const scaled = parts.map((part) => multiply(graph, part, graph.scalar(0.01)));
    const scores = scaled.map((part) => sigmoid(graph, reduceSum(graph, part, [1])));
    graph.output('pctr', scores[0]!);
    graph.output('pcvr', scores[1]!);
    const inputs = { numbers: ['age', 'age.missing'], items: ['item_id', 'recent_item_ids'] };
    const { notes } = await bundled('listed', graph.build(), { inputs });
    expect(notes).toEqual(['the model reads nothing of user_id, device, price, tags']);
    const scores512 = await scoresOf(join(folder, 'listed'), 'listed scores');
    const [row] = funnelRows(TINY_DATES[2], 1) as [FunnelRow];
    const idOf = (item: bigint) => OWN_VALUES.item.indexOf(item) + 1;
    const sum = [row.item_id, ...row.recent_item_ids.slice(-3)].reduce(
      (total, item) => total + idOf(item),
      0,
    );
    const number = row.age === null ? 1 : (row.age - 40) / 20;
    expect(scores512.pctr[0]).toBeCloseTo(1 / (1 + Math.exp(-0.01 * number)), 6);
    expect(scores512.pcvr[0]).toBeCloseTo(1 / (1 + Math.exp(-0.01 * sum)), 6);
  });
});

describe('a plain export', () => {
  it('comes back as a bundle with the scores of the bundle that it was made of, within 1e-6, and is exported no further', async () => {
    const trained = await trainTinyModel(join(folder, 'trained'), {
      config: { network: { kind: 'ncs', embeddingWidth: 4, privateEmbeddingWidth: 1, hidden: [16, 8] } },
    });
    const { bundle } = trained;
    const contract = await readOwnContract(trained.bundleUri);
    const bytes = plainModel(gatheredModel(bundle.model, trained.bundleUri), bundle.layout);
    const again = await bundled('plain', bytes, {}, contract);
    expect(again.bundle.manifest.contractFingerprint).toBe(bundle.manifest.contractFingerprint);
    const [before, after] = [
      await scoresOf(trained.bundleUri, 'trained scores'),
      await scoresOf(join(folder, 'plain'), 'plain scores'),
    ];
    for (const name of ['pctr', 'pcvr', 'pctcvr'] as const) {
      const apart = [...before[name]].map((score, row) => Math.abs(score - after[name][row]!));
      expect(apart).toHaveLength(1500);
      expect(Math.max(...apart)).toBeLessThan(1e-6);
    }
    const output = join(folder, 'smaller');
    const smaller = exportSmaller(join(folder, 'plain'), data, output, { int8: true, tables: 'F32' });
    await expect(smaller).rejects.toThrow('EXPORT_NOT_TRAINED');
  });
});

describe('loading', () => {
  it('refuses a bundle whose inputs were exchanged: the file is bound to them', async () => {
    const uri = join(folder, 'exchanged');
    await bundled('exchanged', ownModel(layoutOf()).bytes);
    const manifest = JSON.parse(readFileSync(join(uri, 'bundle.json'), 'utf8'));
    const [first, second] = manifest.inputs;
    [first.values, second.values] = [second.values, first.values];
    writeFileSync(join(uri, 'bundle.json'), JSON.stringify(manifest));
    await expect(loadBundle(localDisk, uri)).rejects.toThrow(
      /BUNDLE_INTERFACE[\s\S]*made for another contract, other embeddings or inputs/,
    );
  });
});
