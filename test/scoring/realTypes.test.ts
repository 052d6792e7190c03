import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import pl from 'nodejs-polars';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { refuseLabelColumns } from '../../lib/recipe/refuseLeaks.ts';
import { trainModel } from '../../lib/recipe/trainModel.ts';
import { placeOfRow } from '../../lib/scoring/badCells.ts';
import { scoreShard } from '../../lib/scoring/scoreShard.ts';
import { scoringPool, type WorkerPool } from '../../lib/scoring/workerPool.ts';
import { type FunnelRow, funnelRows, funnelShard, TINY_DATES } from '../fixtures/tinyFunnel.ts';
import { tinyConfig, trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { readTable, scoreBits } from './readScores.ts';

const folder = temporaryFolder();
let dataUri: string;
let bundle: ModelBundle;
let pool: WorkerPool;

beforeAll(async () => {
  ({ bundle, dataUri } = await trainTinyModel(folder));
  pool = scoringPool(bundle, 1);
});
afterAll(() => pool.close());

/** A day's shard as polars writes it, after a change. */
function rewritten(date: string, path: string, change: (frame: pl.DataFrame) => pl.DataFrame): string {
  mkdirSync(dirname(path), { recursive: true });
  const frame = pl.readParquet(readFileSync(join(dataUri, `dt=${date}`, 'part-0.parquet')));
  writeFileSync(path, change(frame).writeParquet() as Buffer);
  return path;
}

const asFloats = (frame: pl.DataFrame) =>
  frame.withColumns(pl.col('user_id').cast(pl.Float64), pl.col('hour').cast(pl.Float32));

describe('ids that a foreign writer has put down as floats', () => {
  test('get the scores of the integers, bit for bit', async () => {
    const output = join(folder, 'integers.arrow');
    await scoreShard(join(dataUri, 'dt=2024-03-03', 'part-0.parquet'), output, bundle, pool);
    const expected = scoreBits(output);
    expect(expected.size).toBe(1500);
    const shard = rewritten('2024-03-03', join(folder, 'floats.parquet'), asFloats);
    const { profile } = await scoreShard(shard, join(folder, 'floats.arrow'), bundle, pool);
    expect(scoreBits(join(folder, 'floats.arrow'))).toEqual(expected);
    expect(profile.features.find(({ name }) => name === 'user_id')!.missing).toBeGreaterThan(10);
  });

  test('train the same model', async () => {
    const floats = join(folder, 'floats');
    for (const date of TINY_DATES) rewritten(date, join(floats, `dt=${date}`, 'part-0.parquet'), asFloats);
    const trained = await trainModel(tinyConfig(), floats, join(folder, 'of-floats'));
    expect(trained.bundle.manifest.contractFingerprint).toBe(bundle.manifest.contractFingerprint);
    const shard = join(dataUri, 'dt=2024-03-03', 'part-0.parquet');
    const other = scoringPool(trained.bundle, 1);
    try {
      await scoreShard(shard, join(folder, 'of-floats.arrow'), trained.bundle, other);
    } finally {
      await other.close();
    }
    expect(scoreBits(join(folder, 'of-floats.arrow'))).toEqual(scoreBits(join(folder, 'integers.arrow')));
  });

  const halves = (rows: readonly number[]) => (frame: pl.DataFrame) => {
    const users = frame.getColumn('user_id').toArray() as (number | bigint | null)[];
    const changed = users.map((user, row) =>
      rows.includes(row) ? 3.5 : user === null ? null : Number(user),
    );
    return frame.withColumns(pl.Series('user_id', changed, pl.Float64));
  };

  test('are refused with file, row group, row, column and value where one is no whole number', async () => {
    const shard = rewritten('2024-03-03', join(folder, 'half.parquet'), halves([1203, 1400]));
    await expect(scoreShard(shard, join(folder, 'half.arrow'), bundle, pool)).rejects.toMatchObject({
      code: 'SHARD_ID_INVALID',
      location: { file: shard, rowGroup: 0, column: 'user_id' },
      found: '3.5',
      message: expect.stringContaining('row 1203 of the row group has no usable id'),
    });
  });

  test('end a training with the row of the shard, as it fits', async () => {
    const data = join(folder, 'halves');
    for (const date of TINY_DATES) {
      const rows = date === TINY_DATES[1] ? [77] : [];
      rewritten(date, join(data, `dt=${date}`, 'part-0.parquet'), halves(rows));
    }
    await expect(trainModel(tinyConfig(), data, join(folder, 'none'))).rejects.toMatchObject({
      code: 'SHARD_ID_INVALID',
      location: { file: join(data, `dt=${TINY_DATES[1]}`, 'part-0.parquet'), rowGroup: 0, column: 'user_id' },
      message: expect.stringContaining('row 77 of the shard has no usable id'),
    });
  });

  test('end it as it encodes where nothing is fitted: in the days to validate on', async () => {
    const data = join(folder, 'late');
    for (const date of TINY_DATES) {
      const rows = date === TINY_DATES[2] ? [78] : [];
      rewritten(date, join(data, `dt=${date}`, 'part-0.parquet'), halves(rows));
    }
    await expect(trainModel(tinyConfig(), data, join(folder, 'none'))).rejects.toMatchObject({
      location: { file: join(data, `dt=${TINY_DATES[2]}`, 'part-0.parquet'), rowGroup: 0 },
      message: expect.stringContaining('row 78 of the shard has no usable id'),
    });
  });
});

test('a row is found in its row group past the rows that were left out, in some of its rows too', () => {
  const bad = (rowGroup: number, row: number) =>
    ({ rowGroup, row, column: 'a', reason: 'KEY_NULL', value: null }) as const;
  const rowGroups = [
    { start: 0, end: 4 },
    { start: 0, end: 2 },
    { start: 10, end: 13 },
  ];
  const cells = [bad(0, 0), bad(0, 2), bad(0, 2), bad(1, 0), bad(1, 1), bad(2, 11)];
  const found = [0, 1, 2, 3].map((row) => placeOfRow(row, rowGroups, cells));
  expect(found).toEqual([
    { rowGroup: 0, row: 1 },
    { rowGroup: 0, row: 3 },
    { rowGroup: 2, row: 10 },
    { rowGroup: 2, row: 12 },
  ]);
  expect(() => placeOfRow(4, rowGroups, cells)).toThrow(RangeError);
});

describe('UUIDs', () => {
  const uuidOf = (device: string) =>
    `0123abcd-4567-89ef-0f1e-${Buffer.from(device.padEnd(6)).toString('hex')}`;
  const bytesOf = (uuid: string) => Uint8Array.from(Buffer.from(uuid.replaceAll('-', ''), 'hex'));
  const stored = { name: 'device', type: 'FIXED_LEN_BYTE_ARRAY', type_length: 16 } as const;
  const devices = (value: (device: string) => unknown, rows: readonly FunnelRow[]) =>
    rows.map((row) => ({ ...row, device: row.device && value(row.device) }) as FunnelRow);

  test('of 16 bytes get the scores of their text', async () => {
    const data = join(folder, 'uuids');
    for (const date of TINY_DATES) {
      const path = join(data, `dt=${date}`, 'part-0.parquet');
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, funnelShard(devices(uuidOf, funnelRows(date, 600))));
    }
    const features = tinyConfig().contract.features.map((feature) =>
      feature.column === 'device' ? { ...feature, table: { type: 'string', vocabulary: {} } } : feature,
    );
    const config = tinyConfig({ contract: { features } });
    const trained = await trainModel(config, data, join(folder, 'of-uuids'));
    const device = trained.bundle.contract.features.find(({ column }) => column === 'device');
    expect(device).toMatchObject({ table: { vocabulary: { fitted: { entries: 4 } } } });
    const bytes = devices((name) => bytesOf(uuidOf(name)), funnelRows(TINY_DATES[2], 600));
    for (const logical of [{}, { logical_type: { type: 'UUID' } }] as const) {
      const shard = join(folder, 'bytes.parquet');
      const element = { ...stored, ...logical, repetition_type: 'OPTIONAL' } as const;
      writeFileSync(shard, funnelShard(bytes, 400, { device: [element] }));
      const other = scoringPool(trained.bundle, 1);
      try {
        await scoreShard(shard, join(folder, 'bytes.arrow'), trained.bundle, other);
        const text = join(data, `dt=${TINY_DATES[2]}`, 'part-0.parquet');
        await scoreShard(text, join(folder, 'text.arrow'), trained.bundle, other);
      } finally {
        await other.close();
      }
      expect(scoreBits(join(folder, 'bytes.arrow'))).toEqual(scoreBits(join(folder, 'text.arrow')));
    }
  });
});

test('row keys of floats are refused with a way out, wherever a shard is read', async () => {
  const asFloat = (frame: pl.DataFrame) => frame.withColumn(pl.col('impression_id').cast(pl.Float64));
  const refusal = {
    code: 'SHARD_COLUMN_TYPE',
    location: { column: 'impression_id' },
    message: expect.stringContaining('CAST(impression_id AS BIGINT) or CAST(impression_id AS VARCHAR)'),
  };
  const shard = rewritten('2024-03-03', join(folder, 'float-keys.parquet'), asFloat);
  await expect(scoreShard(shard, join(folder, 'never.arrow'), bundle, pool)).rejects.toMatchObject(refusal);
  const data = join(folder, 'float-keys');
  for (const date of TINY_DATES) rewritten(date, join(data, `dt=${date}`, 'part-0.parquet'), asFloat);
  await expect(trainModel(tinyConfig(), data, join(folder, 'none'))).rejects.toMatchObject(refusal);
});

test('fields of structs are features, labels and row keys by their paths, with the scores of flat columns', async () => {
  const nested = (frame: pl.DataFrame) => {
    const struct = (name: string, columns: Readonly<Record<string, string>>) =>
      frame
        .select(...Object.keys(columns))
        .rename(columns)
        .toStruct(name);
    const device = pl.DataFrame([struct('device', { device: 'kind' })]);
    const users = pl.DataFrame([frame.getColumn('user_id').rename('id')]).hstack(device);
    return frame
      .drop('user_id', 'device', 'click', 'conversion', 'request')
      .withColumns(
        users.toStruct('user'),
        struct('outcome', { click: 'click', conversion: 'order' }),
        struct('ids', { request: 'request' }),
      );
  };
  const data = join(folder, 'nested');
  for (const date of TINY_DATES) rewritten(date, join(data, `dt=${date}`, 'part-0.parquet'), nested);
  const paths: Readonly<Record<string, string>> = { user_id: 'user.id', device: 'user.device.kind' };
  const { features } = tinyConfig().contract;
  const config = tinyConfig({
    contract: {
      rowKeys: ['impression_id', 'ids.request'],
      features: features.map((feature) => ({
        ...feature,
        name: feature.name ?? feature.column,
        column: paths[feature.column] ?? feature.column,
      })),
    },
    labels: { click: 'outcome.click', conversion: 'outcome.order', user: 'user.id' },
  });
  const trained = await trainModel(config, data, join(folder, 'of-nested'));
  const ofNested = scoringPool(trained.bundle, 1);
  const shard = join(data, 'dt=2024-03-03', 'part-0.parquet');
  try {
    await scoreShard(shard, join(folder, 'nested.arrow'), trained.bundle, ofNested);
  } finally {
    await ofNested.close();
  }
  expect(scoreBits(join(folder, 'nested.arrow'))).toEqual(scoreBits(join(folder, 'integers.arrow')));
  const keys = (name: string) => [...readTable(join(folder, name)).getChildAt(1)!];
  expect(keys('nested.arrow')).toEqual(keys('integers.arrow'));
  expect(readTable(join(folder, 'nested.arrow')).schema.names.slice(0, 2)).toEqual([
    'impression_id',
    'ids.request',
  ]);
  const labels = { ...config.labels, conversion: 'outcome.orders' };
  await expect(trainModel({ ...config, labels }, data, join(folder, 'none'))).rejects.toMatchObject({
    code: 'SHARD_COLUMN_MISSING',
    location: { column: 'outcome.orders' },
  });
  const whole = { ...config.contract.features[0]!, column: 'user' };
  await expect(
    trainModel(
      tinyConfig({ contract: { features: [...features.slice(1), whole] } }),
      data,
      join(folder, 'none'),
    ),
  ).rejects.toThrow(/column 'user'.*such as 'user\.id'/);
});

test('labels by the values of a column of text train the model of the labels as numbers', async () => {
  const named = (frame: pl.DataFrame) => {
    const [clicks, orders] = ['click', 'conversion'].map((name) => frame.getColumn(name).toArray());
    const events = clicks!.map((click, row) =>
      click === 0 ? 'view' : orders![row] === 1 ? 'order' : 'click',
    );
    return frame.drop('click', 'conversion').withColumn(pl.Series('event', events));
  };
  const data = join(folder, 'events');
  for (const date of TINY_DATES) rewritten(date, join(data, `dt=${date}`, 'part-0.parquet'), named);
  const labels = {
    click: { column: 'event', values: { view: 0, click: 1, order: 1 } },
    conversion: { column: 'event', values: { click: 0, order: 1 } },
    user: 'user_id',
  } as const;
  const { manifest } = (await trainModel({ ...tinyConfig(), labels }, data, join(folder, 'of-events')))
    .bundle;
  expect(manifest.labels).toEqual(labels);
  expect(manifest.training.metrics).toEqual(bundle.manifest.training.metrics);
  expect(manifest.training.labels).toEqual(bundle.manifest.training.labels);
  const feature = { kind: 'categorical', column: 'event', table: { type: 'string', hash: { buckets: 9 } } };
  const { features } = tinyConfig().contract;
  const { contract } = tinyConfig({ contract: { features: [...features, feature] } });
  expect(() => refuseLabelColumns({ contract, labels }, data)).toThrow(
    /feature 'event' is the label of clicks/,
  );
});
