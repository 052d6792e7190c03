import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tableFromIPC } from 'apache-arrow';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadBundle } from '../../lib/bundle/loadBundle.ts';
import { writeBundle } from '../../lib/bundle/writeBundle.ts';
import { columnRequirements } from '../../lib/features/columnRequirements.ts';
import { FeatureEncoder } from '../../lib/features/featureEncoder.ts';
import { labelRequirements } from '../../lib/features/readLabels.ts';
import { networkShape } from '../../lib/network/networkShape.ts';
import { readShardRows } from '../../lib/recipe/splitShards.ts';
import { trainModel } from '../../lib/recipe/trainModel.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { ForwardPass } from '../../lib/training/forwardPass.ts';
import { TrainingSetBuilder } from '../../lib/training/trainingSet.ts';
import { measure } from '../../lib/training/validation.ts';
import {
  type FunnelRow,
  funnelRows,
  funnelShard,
  TINY_DATES,
  writeTinyFunnel,
} from '../fixtures/tinyFunnel.ts';
import { TINY_CONFIG, type TinyModel, tinyConfig, trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const folder = temporaryFolder();
const SOFT = { labels: { conversion: 'play_rate' } };
let tiny: TinyModel;
let bundles = 0;
const newBundle = () => join(folder, `bundle-${bundles++}`);

beforeAll(async () => {
  tiny = await trainTinyModel(folder);
});

/** The tiny funnel with one row of the second day changed. */
function changedFunnel(change: (row: FunnelRow, index: number) => FunnelRow): string {
  const root = join(folder, `changed-${bundles++}`);
  for (const date of TINY_DATES) {
    mkdirSync(join(root, `dt=${date}`), { recursive: true });
    const rows = funnelRows(date, 500);
    const written = date === TINY_DATES[1] ? rows.map(change) : rows;
    writeFileSync(join(root, `dt=${date}`, 'part-0.parquet'), funnelShard(written, 400));
  }
  return root;
}

describe('a trained bundle', () => {
  it('learned something on both tasks', () => {
    const { click, conversion } = tiny.network.best.metrics;
    // About .76 and .80 when this was written; chance is .5, its standard error .015 and .025.
    expect(click.auc).toBeGreaterThan(0.65);
    expect(conversion.auc).toBeGreaterThan(0.68);
  });

  it('says what it was trained on', () => {
    const { manifest } = tiny.bundle;
    expect(manifest).toMatchObject({
      modelVersion: 'tiny-1',
      labels: { click: 'click', conversion: 'conversion', user: 'user_id' },
      network: { kind: 'ncs', embeddingWidth: 4, hidden: [16, 8] },
      training: {
        data: tiny.dataUri,
        trainRows: 3000,
        validationRows: 1500,
        trainSplit: 'dt=2024-03-01 to dt=2024-03-02',
        validationSplit: 'dt=2024-03-03 to dt=2024-03-03',
        seed: 3,
        metrics: { best: { metrics: { rows: 1500 } } },
      },
    });
    expect(manifest.training.config).not.toHaveProperty('contract');
  });

  it('carries the first validation rows as golden rows, every feature column as it stands in the shard', () => {
    const golden = tableFromIPC(readFileSync(join(tiny.bundleUri, 'golden.arrow')));
    expect(golden.numRows).toBe(64);
    const rows = funnelRows(TINY_DATES[2], 1500).slice(0, 64);
    for (const column of ['user_id', 'item_id', 'device', 'hour', 'age'] as const) {
      expect([...golden.getChild(column)!], column).toEqual(rows.map((row) => row[column]));
    }
    const lists = (column: string) => [...golden.getChild(column)!].map((list) => list && [...list]);
    expect(lists('tags')).toEqual(rows.map(({ tags }) => tags));
    expect(lists('recent_item_ids')).toEqual(rows.map(({ recent_item_ids: items }) => items));
    expect(golden.schema.names).not.toContain('click');
  });

  it('measures as the report says, through the weights that were returned', async () => {
    const { bundle, config, network, dataUri } = tiny;
    const encoder = new FeatureEncoder(bundle.contract, bundle.vocabularies);
    const builder = new TrainingSetBuilder(encoder, config.labels);
    const uri = join(dataUri, `dt=${TINY_DATES[2]}`, 'part-0.parquet');
    const wanted = [...columnRequirements(bundle.contract), ...labelRequirements(config.labels)];
    for await (const { batch, ...place } of readShardRows([{ uri, rowStart: 0, rowEnd: 1500 }], wanted)) {
      builder.add(batch, place);
    }
    const set = builder.build();
    const shape = networkShape(config.network, encoder.layout);
    const forward = await ForwardPass.create(shape, undefined, 1);
    expect(measure(await forward.predict(network.weights, set), set)).toEqual(network.best.metrics);
    await forward.release();
  });

  it('of a split inside a row group has golden rows that score right, from the cut on', async () => {
    const config = { ...tinyConfig(), split: { by: 'fraction', validation: 0.3 } as const };
    const bundleUri = newBundle();
    const { bundle } = await trainModel(config, tiny.dataUri, bundleUri);
    expect(bundle.manifest.training).toMatchObject({ trainRows: 3150, validationRows: 1350 });
    const golden = tableFromIPC(readFileSync(join(bundleUri, 'golden.arrow')));
    // Row 150 of the third day, in the middle of its first row group of 400.
    const rows = funnelRows(TINY_DATES[2], 1500).slice(150, 150 + golden.numRows);
    expect([...golden.getChild('item_id')!]).toEqual(rows.map((row) => row.item_id));
    expect([...golden.getChild('tags')!].map((list) => list && [...list])).toEqual(
      rows.map(({ tags }) => tags),
    );
  });

  it.each([
    ['logistic', { network: 'logistic' }],
    ['paper', { preset: 'paper', network: { hidden: [16, 8] } }],
  ])('can be %s', async (_title, over) => {
    const { bundle, network } = await trainModel(tinyConfig(over), tiny.dataUri, newBundle());
    expect(bundle.manifest.network).toMatchObject(tinyConfig(over).network);
    expect(network.best.metrics.rows).toBe(1500);
  });

  it('is never overwritten, and that is told before any work', async () => {
    const before = readFileSync(join(tiny.bundleUri, 'bundle.json'));
    const stages: string[] = [];
    const again = trainModel(tiny.config, tiny.dataUri, tiny.bundleUri, {
      onStage: (stage) => stages.push(stage),
    });
    await expect(again).rejects.toMatchObject({ code: 'BUNDLE_EXISTS' });
    expect(stages).toEqual([]);
    expect(readFileSync(join(tiny.bundleUri, 'bundle.json'))).toEqual(before);
  });
});

describe('the conversion label', () => {
  const train = async (dataUri: string, config = tinyConfig(SOFT)) => {
    const { network } = await trainModel(config, dataUri, newBundle());
    return network.weights;
  };

  it('of unclicked rows is never read: -7, null and NaN train the same bits as 0.5', async () => {
    const odd = changedFunnel((row) => row);
    const plain = changedFunnel((row) => (row.click === 1 ? row : { ...row, play_rate: 0.5 }));
    expect(await train(odd)).toEqual(await train(plain));
  });

  it.each([
    ['1.5', 1.5],
    ['-0.1', -0.1],
  ])(
    'outside [0, 1] on a clicked row is an error with file, row group and column: %s',
    async (found, value) => {
      const clicked = funnelRows(TINY_DATES[1], 500).findLastIndex(({ click }) => click === 1);
      expect(clicked).toBeGreaterThanOrEqual(400);
      const root = changedFunnel((row, i) => (i === clicked ? { ...row, play_rate: value } : row));
      await expect(train(root)).rejects.toMatchObject({
        code: 'SHARD_LABEL_INVALID',
        location: { file: join(root, 'dt=2024-03-02', 'part-0.parquet'), rowGroup: 1, column: 'play_rate' },
        found,
      });
    },
  );

  it('of a clicked row may be unknown: null and NaN train the same bits, the click stays, the bundle counts them', async () => {
    const without = (value: number | null) =>
      changedFunnel((row, i) => (row.click === 1 && i % 3 === 0 ? { ...row, play_rate: value } : row));
    const known = await train(changedFunnel((row) => row));
    const weights = await train(without(null));
    expect(weights).toEqual(await train(without(Number.NaN)));
    expect(weights).not.toEqual(known);
    const clicked = (date: string) => funnelRows(date, 500).filter(({ click }) => click === 1).length;
    const unknown = funnelRows(TINY_DATES[1], 500).filter(({ click }, i) => click === 1 && i % 3 === 0);
    const { bundle } = await trainModel(tinyConfig(SOFT), without(null), newBundle());
    expect(bundle.manifest.training.labels).toMatchObject({
      training: {
        rows: 1000,
        clicks: clicked(TINY_DATES[0]) + clicked(TINY_DATES[1]),
        unknownConversions: unknown.length,
        unknownClicks: 0,
      },
      validation: { rows: 500, unknownConversions: 0 },
      newestDay: TINY_DATES[2],
    });
  });

  it.each([
    ['conversion', (row: FunnelRow) => ({ ...row, conversion: row.click === 1 ? 1 : null })],
    ['click', (row: FunnelRow) => ({ ...row, click: 1, conversion: row.conversion ?? 0 })],
  ])('or the click label with positive ones only is an error: %s', async (title, change) => {
    const config = tinyConfig({ split: { train: { from: TINY_DATES[1] } } });
    await expect(train(changedFunnel(change), config)).rejects.toMatchObject({
      code: 'TRAINING_NO_NEGATIVES',
      found: expect.stringMatching(`^(\\d+) ${title}s in \\1 `) as string,
    });
  });

  it.each([
    ['conversion', (row: FunnelRow) => ({ ...row, conversion: row.click === 1 ? 0 : null })],
    ['click', (row: FunnelRow) => ({ ...row, click: 0 })],
  ])('or the click label without a positive one is an error: %s', async (_title, change) => {
    const root = changedFunnel(change);
    const config = tinyConfig({ split: { train: { from: TINY_DATES[1] } } });
    await expect(train(root, config)).rejects.toMatchObject({
      code: 'TRAINING_NO_POSITIVES',
      location: { file: root },
    });
  });

  it('is found again by its row of the shard, also where the part begins within a row group', async () => {
    // The second half of 1,500 rows begins at row 250 of the second shard.
    const config = { ...tinyConfig(SOFT), split: { by: 'fraction', validation: 0.5 } as const };
    const isWithin = (row: number) => row > 250 && row < 400;
    const bad = funnelRows(TINY_DATES[1], 500).findIndex(({ click }, row) => click === 1 && isWithin(row));
    expect(isWithin(bad)).toBe(true);
    const root = changedFunnel((row, i) => (i === bad ? { ...row, play_rate: 2 } : row));
    await expect(train(root, config)).rejects.toMatchObject({
      location: { rowGroup: 0 },
      message: expect.stringContaining(`row ${bad} of the shard`),
    });
  });
});

describe('a column that the shards lack', () => {
  const withFeatures = (features: readonly unknown[]) => {
    const { contract } = TINY_CONFIG as { contract: { features: unknown[] } };
    return tinyConfig({ contract: { features: [...contract.features, ...features] } });
  };

  it('may be missing from every shard when it is not required: all its values are missing', async () => {
    const common = { column: 'absent', required: false };
    const config = withFeatures([
      { ...common, kind: 'categorical', name: 'a', table: { type: 'string', vocabulary: {} } },
      { ...common, kind: 'bucketed', name: 'b', buckets: 4 },
      { ...common, kind: 'numeric', name: 'c' },
      {
        ...common,
        column: 'absent_list',
        kind: 'list',
        name: 'd',
        maxLength: 3,
        keep: 'last',
        table: { type: 'int', hash: { buckets: 9 } },
      },
    ]);
    const { bundle, network } = await trainModel(config, tiny.dataUri, newBundle());
    expect(bundle.layout.embeddingRowCount).toBe(tiny.bundle.layout.embeddingRowCount + 1 + 2 + 10);
    expect(network.best.metrics.click.auc).toBeGreaterThan(0.65);
  });

  it('is an error with file and column when it is required, as is a label', async () => {
    const config = withFeatures([{ kind: 'numeric', column: 'absent' }]);
    await expect(trainModel(config, tiny.dataUri, newBundle())).rejects.toThrow(/part-0\.parquet.*absent/s);
    const labels = tinyConfig({ labels: { conversion: 'bought' } });
    await expect(trainModel(labels, tiny.dataUri, newBundle())).rejects.toThrow(/part-0\.parquet.*bought/s);
  });
});

it('a click label other than 0 and 1 is an error with file and column', async () => {
  const root = changedFunnel((row, i) => (i === 77 ? { ...row, click: 2 } : row));
  await expect(trainModel(tinyConfig(), root, newBundle())).rejects.toMatchObject({
    code: 'SHARD_LABEL_INVALID',
    location: { column: 'click' },
    found: '2',
  });
});

it('the same config and shards give the same model.onnx, byte by byte', async () => {
  const dataUri = writeTinyFunnel(join(folder, 'again'));
  const { bundle } = await trainModel(tiny.config, dataUri, newBundle());
  expect(Buffer.compare(bundle.model.modelBytes, tiny.bundle.model.modelBytes)).toBe(0);
  expect(bundle.contract).toEqual(tiny.bundle.contract);
});

describe('writeBundle', () => {
  it('never overwrites a bundle, but takes a folder that a broken run left without a manifest', async () => {
    const golden = readFileSync(join(tiny.bundleUri, 'golden.arrow'));
    const { files: _files, formatVersion: _format, ...manifest } = tiny.bundle.manifest;
    const write = (uri: string) =>
      writeBundle(uri, manifest, {
        model: tiny.bundle.model,
        vocabularies: tiny.bundle.vocabularies,
        goldenBytes: golden,
        reference: tiny.bundle.reference,
      });
    const copy = newBundle();
    cpSync(tiny.bundleUri, copy, { recursive: true });
    const before = readFileSync(join(copy, 'bundle.json'));
    await expect(write(copy)).rejects.toMatchObject({ code: 'BUNDLE_EXISTS' });
    expect(readFileSync(join(copy, 'bundle.json'))).toEqual(before);
    rmSync(join(copy, 'bundle.json'));
    writeFileSync(join(copy, 'model.onnx'), 'half');
    expect(await write(copy)).toBe('tiny-1');
    expect((await loadBundle(localDisk, copy)).manifest).toEqual(tiny.bundle.manifest);
  });

  it('calls a model without a version by date and checksum', async () => {
    const { files, formatVersion: _format, ...manifest } = tiny.bundle.manifest;
    const golden = readFileSync(join(tiny.bundleUri, 'golden.arrow'));
    const version = await writeBundle(
      newBundle(),
      { ...manifest, modelVersion: undefined },
      { model: tiny.bundle.model, vocabularies: tiny.bundle.vocabularies, goldenBytes: golden },
    );
    expect(version).toBe(
      `${manifest.training.finishedAt.slice(0, 10)}-${files['model.onnx'].sha256.slice(0, 8)}`,
    );
  });
});
