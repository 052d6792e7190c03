import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Worker } from 'node:worker_threads';
import pl from 'nodejs-polars';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { contractFingerprint } from '../../lib/features/contract.ts';
import { assignOutputs } from '../../lib/scoring/assignOutputs.ts';
import { type ScoringProgress, type ScoringReport, scoreInput } from '../../lib/scoring/scoreInput.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { type TinyModel, trainTinyModel } from '../fixtures/tinyModel.ts';
import { withMetadata } from '../parquet/sampleShards.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { filesBelow } from './filesBelow.ts';
import { KEY_NAMES, keyRows, keyShard, withRowKeys } from './keyShard.ts';
import { floats, readTable, SCORE_NAMES } from './readScores.ts';

// Threads of their own (test/support/threads/reusedThreads.ts).
vi.unmock('node:worker_threads');

const folder = temporaryFolder();
let model: TinyModel;
let bundle: ModelBundle;

beforeAll(async () => {
  model = await trainTinyModel(join(folder, 'model'));
  ({ bundle } = model);
});

function write(path: string, bytes: Uint8Array): string {
  const target = join(folder, path);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, bytes);
  return target;
}

/** Scores what lies below `folder/name` into `folder/name-scores`. */
async function score(name: string, workers = 2, scored = bundle): Promise<ScoringReport> {
  return scoreInput(join(folder, name), join(folder, `${name}-scores`), scored, { workers });
}

describe('one row out per row in', () => {
  test('keys of every kind arrive untouched and in order, over row groups, an empty one, and shards', async () => {
    const shards = [keyRows(300), keyRows(1, 300), keyRows(170, 301)];
    shards.forEach((rows, index) => {
      // hyparquet-writer writes no empty row group; readers must expect them all the same.
      const bytes = withMetadata(keyShard(rows, 64), ({ row_groups: groups }) => {
        groups.splice(1, 0, { ...groups[0]!, num_rows: 0n });
      });
      write(`keys/part-${index}.parquet`, bytes);
    });
    const report = await score('keys', 2, withRowKeys(bundle, KEY_NAMES));
    expect(report).toMatchObject({ rows: 471, failures: [] });

    shards.forEach((rows, index) => {
      const path = join(folder, `keys-scores/part-${index}.arrow`);
      const table = readTable(path);
      expect(table.schema.fields.map(({ name, nullable }) => [name, nullable])).toEqual([
        ...KEY_NAMES.map((name) => [name, name !== 'id']),
        ...SCORE_NAMES.map((name) => [name, false]),
      ]);
      for (const name of KEY_NAMES) {
        const column = table.getChild(name)!;
        const found = Array.from({ length: table.numRows }, (_, row) => column.get(row) as unknown);
        // apache-arrow gives dates and timestamps as milliseconds.
        const expected = rows.map((row) => (row[name] instanceof Date ? row[name].getTime() : row[name]));
        expect({ [name]: found }).toEqual({ [name]: expected });
      }
      const frame = pl.readIPC(readFileSync(path));
      expect(frame.shape).toEqual({ height: rows.length, width: KEY_NAMES.length + 3 });
      const asText = (name: string) => frame.getColumn(name).cast(pl.Utf8).toArray();
      expect(asText('id')).toEqual(rows.map(({ id }) => String(id)));
      expect(asText('unsigned')).toEqual(rows.map(({ unsigned }) => unsigned?.toString() ?? null));
      expect(asText('name')).toEqual(rows.map(({ name }) => name));
      expect(frame.getColumn('day').cast(pl.Int32).toArray()).toEqual(
        rows.map(({ day }) => (day === null ? null : day.getTime() / 86_400_000)),
      );
      for (const name of SCORE_NAMES) {
        expect(Float32Array.from(frame.getColumn(name).toArray())).toEqual(floats(table, name));
      }
    });
  });

  test('scores are probabilities and pctcvr is their float32 product', async () => {
    write('product/a.parquet', funnelShard(funnelRows('2024-03-04', 700), 300));
    await score('product');
    const table = readTable(join(folder, 'product-scores/a.arrow'));
    const [pctr, pcvr, pctcvr] = SCORE_NAMES.map((name) => floats(table, name)) as [
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    expect(table.numRows).toBe(700);
    for (let row = 0; row < 700; row++) {
      expect(pctr[row]! > 0 && pctr[row]! < 1 && pcvr[row]! > 0 && pcvr[row]! < 1).toBe(true);
      expect(pctcvr[row]).toBe(Math.fround(pctr[row]! * pcvr[row]!));
    }
  });

  test('a key that is a feature and a label too, and keys in another order than in the shard', async () => {
    const rows = funnelRows('2024-03-04', 50);
    write('reordered/a.parquet', funnelShard(rows, 20));
    await score('reordered', 1, withRowKeys(bundle, ['item_id', 'click', 'impression_id', 'user_id']));
    const table = readTable(join(folder, 'reordered-scores/a.arrow'));
    expect(table.schema.names).toEqual(['item_id', 'click', 'impression_id', 'user_id', ...SCORE_NAMES]);
    for (const name of ['item_id', 'click', 'impression_id', 'user_id'] as const) {
      const column = table.getChild(name)!;
      expect(rows.map((_, row) => column.get(row) as unknown)).toEqual(rows.map((row) => row[name]));
    }
  });

  test('a shard without rows becomes a valid file without rows, and loses no count of the others', async () => {
    const full = funnelShard(funnelRows('2024-03-04', 30), 20);
    const noRow = withMetadata(full, (metadata) => {
      metadata.row_groups.length = 0;
      metadata.num_rows = 0n;
    });
    write('empty/a.parquet', full);
    write('empty/b.parquet', noRow);
    write('empty/c.parquet', funnelShard([], 20));
    const report = await score('empty', 1);
    expect(report).toMatchObject({ rows: 30, failures: [] });
    expect(report.profile.features.find(({ name }) => name === 'hour')).toMatchObject({
      values: 30,
      missing: 0,
    });
    for (const name of ['b', 'c']) {
      const path = join(folder, `empty-scores/${name}.arrow`);
      const table = readTable(path);
      expect(table.schema.names).toEqual(['impression_id', 'request', ...SCORE_NAMES]);
      expect(table.numRows).toBe(0);
      expect(pl.readIPC(readFileSync(path)).shape).toEqual({ height: 0, width: 5 });
      expect(table.schema.metadata.get('ncs4cvr.row_count')).toBe('0');
    }
    expect(readTable(join(folder, 'empty-scores/b.arrow')).schema.metadata.get('ncs4cvr.row_groups')).toBe(
      'none',
    );
  });

  test('counts missing and unseen values over row groups and shards', async () => {
    const rows = funnelRows('2024-03-04', 200).map((row, index) => ({
      ...row,
      user_id: index % 10 === 0 ? null : index % 10 === 1 ? 999n : 2n,
    }));
    write('counts/a.parquet', funnelShard(rows.slice(0, 150), 40));
    write('counts/b.parquet', funnelShard(rows.slice(150), 40));
    const { features } = (await score('counts')).profile;
    expect(features[0]).toMatchObject({ name: 'user_id', values: 200, missing: 20, unseen: 20 });
    expect(features).toHaveLength(bundle.contract.features.length);
  });
});

describe('schema metadata', () => {
  test('is complete and true', async () => {
    const input = write('metadata/part-0.parquet', funnelShard(funnelRows('2024-03-04', 90), 40));
    const output = join(folder, 'metadata.arrow');
    await scoreInput(input, output, bundle, { workers: 1 });
    const stats = statSync(input, { bigint: true });
    expect(Object.fromEntries(readTable(output).schema.metadata)).toEqual({
      'ncs4cvr.model_version': 'tiny-1',
      'ncs4cvr.model_sha256': createHash('sha256')
        .update(readFileSync(join(model.bundleUri, 'model.onnx')))
        .digest('hex'),
      'ncs4cvr.contract_fingerprint': contractFingerprint(bundle.contract),
      'ncs4cvr.input_uri': input,
      'ncs4cvr.input_size_bytes': String(stats.size),
      'ncs4cvr.input_version': (await localDisk.stat(input))!.version,
      'ncs4cvr.row_groups': '0-2',
      'ncs4cvr.row_count': '90',
    });
  });
});

describe('where the files go', () => {
  const shard = funnelShard(funnelRows('2024-03-04', 20), 20);

  test('a folder: relative paths are kept, other files are left out and counted, hidden ones ignored', async () => {
    write('tree/dt=2024-03-04/hour=1/part-0.parquet', shard);
    write('tree/dt=2024-03-04/hour=2/part-0.PARQUET', shard);
    write('tree/top.v2.pq', shard);
    write('tree/README.md', Buffer.from('no shard'));
    write('tree/dt=2024-03-04/part-0.parquet.crc', Buffer.from('no shard'));
    write('tree/_SUCCESS', Buffer.from(''));
    write('tree/.part-0.parquet.tmp', Buffer.from('half'));
    const report = await score('tree');
    expect(filesBelow(join(folder, 'tree-scores'))).toEqual([
      'dt=2024-03-04/hour=1/part-0.arrow',
      'dt=2024-03-04/hour=2/part-0.arrow',
      'top.v2.arrow',
    ]);
    expect(report.ignored).toEqual(
      ['README.md', 'dt=2024-03-04/part-0.parquet.crc'].map((name) => join(folder, 'tree', name)),
    );
    expect(report.shards.map(({ rowCount }) => rowCount)).toEqual([20, 20, 20]);
    expect(report.shards.map(({ sizeBytes }) => sizeBytes)).toEqual(
      report.shards.map(({ outputUri }) => statSync(outputUri).size),
    );
  });

  test('a hive partition, with and without a slash at the end', async () => {
    write('hive/dt=2024-03-04/part-0.parquet', shard);
    const input = write('hive/dt=2024-03-05/part-0.parquet', shard);
    for (const slash of ['', '/']) {
      const partition = join(folder, 'hive/dt=2024-03-05') + slash;
      expect(await assignOutputs(partition, `scores${slash}`)).toEqual({
        shards: [{ inputUri: input, outputUri: 'scores/part-0.arrow', sizeBytes: shard.length }],
        ignored: [],
        unlistable: [],
      });
    }
  });

  test('one file: into a folder, or into the .arrow file that is named; whatever the input is called', async () => {
    const input = write('single/part-0.parquet', shard);
    const odd = write('single/shard', shard);
    const outputOf = async (inputUri: string, outputUri: string) =>
      (await assignOutputs(inputUri, outputUri)).shards.map((planned) => planned.outputUri);
    expect(await outputOf(input, 'scores')).toEqual(['scores/part-0.arrow']);
    expect(await outputOf(odd, 'scores/')).toEqual(['scores/shard.arrow']);
    expect(await outputOf(input, 'deep/chosen.arrow')).toEqual(['deep/chosen.arrow']);
    expect(await outputOf(pathToFileURL(input).href, 'file:///scores')).toEqual([
      'file:///scores/part-0.arrow',
    ]);
  });

  test('file URIs are read and written, in folders that have to be made', async () => {
    const input = write('uri/day 1/part-0.parquet', shard);
    const output = join(folder, 'uri-scores/day 1/ü.arrow');
    const report = await scoreInput(pathToFileURL(input).href, pathToFileURL(output).href, bundle, {
      workers: 1,
    });
    expect(report.failures).toEqual([]);
    expect(readTable(output).numRows).toBe(20);
  });

  test('names that mean something else in a URI keep their outputs apart below a file:// folder', async () => {
    const names = ['a#1', 'a#2', 'city=New%20York/b', 'c?x'];
    for (const name of names) write(`odd/${name}.parquet`, shard);
    const output = join(folder, 'odd scores');
    const report = await scoreInput(join(folder, 'odd'), pathToFileURL(output).href, bundle, { workers: 1 });
    expect(report.failures).toEqual([]);
    for (const name of names) expect(readTable(join(output, `${name}.arrow`)).numRows).toBe(20);
    expect(filesBelow(output)).toHaveLength(names.length);
  });

  test('an output that can not be written to is one error, before anything is scored', async () => {
    const input = write('nowhere/part-0.parquet', shard);
    await expect(scoreInput(input, 'gs://bucket/scores', bundle, { workers: 1 })).rejects.toMatchObject({
      code: 'STORAGE_SCHEME_UNSUPPORTED',
    });
    // Not even the input is looked at.
    await expect(assignOutputs(join(folder, 'not-there'), 'gs://bucket/scores')).rejects.toMatchObject({
      code: 'STORAGE_SCHEME_UNSUPPORTED',
    });
  });

  test('a folder whose name ends in .arrow takes the outputs of several shards', async () => {
    for (const name of ['a', 'b']) write(`several/${name}.parquet`, shard);
    const { shards } = await assignOutputs(join(folder, 'several'), 'day.arrow');
    expect(shards.map(({ outputUri }) => outputUri)).toEqual(['day.arrow/a.arrow', 'day.arrow/b.arrow']);
  });

  test('two shards for one output are an error before anything is scored', async () => {
    write('clash/a.parquet', shard);
    write('clash/a.pq', shard);
    await expect(score('clash')).rejects.toMatchObject({ code: 'OUTPUT_CLASH' });
    expect(filesBelow(join(folder, 'clash-scores'))).toEqual([]);
  });

  test('a shard is never replaced by its own scores', async () => {
    const input = write('self/shard.arrow', shard);
    for (const output of [input, pathToFileURL(input).href, relative(process.cwd(), input)]) {
      await expect(scoreInput(input, output, bundle, { workers: 1 })).rejects.toMatchObject({
        code: 'OUTPUT_CLASH',
      });
    }
    expect(readFileSync(input).equals(shard)).toBe(true);
  });

  test('a missing input and a folder without shards are errors', async () => {
    write('none/README.md', Buffer.from('no shard'));
    await expect(score('none')).rejects.toMatchObject({ code: 'INPUT_EMPTY' });
    await expect(score('not-there')).rejects.toMatchObject({ code: 'STORAGE_NOT_FOUND' });
  });

  test('an existing output is replaced', async () => {
    write('again/a.parquet', shard);
    write('again-scores/a.arrow', Buffer.from('old'));
    await score('again');
    expect(readTable(join(folder, 'again-scores/a.arrow')).numRows).toBe(20);
    expect(filesBelow(join(folder, 'again-scores'))).toEqual(['a.arrow']);
  });
});

test('no thread outlives the report', async () => {
  let [started, ended] = [0, 0];
  const watch = (worker: Worker) => {
    started++;
    worker.on('exit', () => ended++);
  };
  process.on('worker', watch);
  write('threads/a.parquet', funnelShard(funnelRows('2024-03-04', 60), 20));
  const { failures } = await score('threads');
  process.off('worker', watch);
  expect(failures).toEqual([]);
  expect(started).toBeGreaterThan(0);
  expect(ended).toBe(started);
});

test('progress rises to the whole, row group by row group: rows, shards and the share of bytes', async () => {
  write('progress/a.parquet', funnelShard(funnelRows('2024-03-04', 90), 30));
  write('progress/b.parquet', funnelShard(funnelRows('2024-03-05', 60), 30));
  write('progress/c.parquet', Buffer.from('no shard, and done all the same'));
  const seen: ScoringProgress[] = [];
  await scoreInput(join(folder, 'progress'), join(folder, 'progress-scores'), bundle, {
    workers: 2,
    onProgress: (progress) => seen.push(progress),
  });
  const last = seen.at(-1)!;
  expect(last).toMatchObject({ rows: 150, shardsDone: 3, shardCount: 3 });
  // Five row groups and three shards.
  expect(seen).toHaveLength(8);
  expect(seen[0]!.fractionDone).toBeLessThan(0.9);
  expect(last.fractionDone).toBeCloseTo(1, 12);
  for (const key of ['rows', 'shardsDone', 'fractionDone'] as const) {
    const values = seen.map((progress) => progress[key]);
    expect(values).toEqual(values.toSorted((a, b) => a - b));
  }
});
