import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeData, makeVector, Table, TimestampMicrosecond, tableToIPC } from 'apache-arrow';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { beforeAll, describe, expect, test } from 'vitest';
import { keyBytesOf } from '../../lib/arrow/rowKeyText.ts';
import { plainModel } from '../../lib/bundle/plainModel.ts';
import { gatheredModel } from '../../lib/bundle/scoringSession.ts';
import { vocabularyPath } from '../../lib/features/vocabularyFile.ts';
import { describeUri } from '../../lib/inspect/describeUri.ts';
import { descriptionText } from '../../lib/inspect/description.ts';
import { scoreInput } from '../../lib/scoring/scoreInput.ts';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { type TinyModel, trainTinyModel } from '../fixtures/tinyModel.ts';
import { KEY_NAMES, keyRows, keyShard, withRowKeys } from '../scoring/keyShard.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const folder = temporaryFolder();
const shard = join(folder, 'shard.parquet');
const predictions = join(folder, 'scores.arrow');
let model: TinyModel;

beforeAll(async () => {
  model = await trainTinyModel(join(folder, 'model'));
  writeFileSync(shard, funnelShard(funnelRows('2024-03-04', 100), 40));
  await scoreInput(shard, predictions, model.bundle, { workers: 1 });
});

/** The lines as cells: columns stand two or more spaces apart. */
async function cellsOf(uri: string): Promise<string[][]> {
  return descriptionText(await describeUri(uri))
    .split('\n')
    .map((line) => line.split(/ {2,}/));
}

describe('describeUri', () => {
  test('a shard of more row groups than a call takes arguments', async () => {
    const column = { name: 'a', data: Int32Array.from({ length: 150_000 }), type: 'INT32' as const };
    const bytes = parquetWriteBuffer({ columnData: [column], rowGroupSize: 1, statistics: false });
    const many = join(folder, 'many.parquet');
    writeFileSync(many, new Uint8Array(bytes));
    expect(await cellsOf(many)).toContainEqual(['row groups', '150000 of 1 to 1 rows']);
  });

  test('a bundle: version, checksum, row keys, training record and a line a feature', async () => {
    const cells = await cellsOf(model.bundleUri);
    const { manifest, contract } = model.bundle;
    expect(cells).toContainEqual(['model version', 'tiny-1']);
    expect(cells).toContainEqual(['model sha256', manifest.files['model.onnx'].sha256]);
    const { trained, scored } = manifest.multiplyAddsPerRow!;
    expect(cells).toContainEqual([
      'multiply-adds',
      `${scored} per row, of ${trained} in the network as it was trained`,
    ]);
    const tables = Object.entries(manifest.files).filter(([path]) => path.startsWith('embeddings/'));
    const bytes = tables.reduce((sum, [, { sizeBytes }]) => sum + sizeBytes, 0);
    expect(cells).toContainEqual(['embeddings size', `${bytes} bytes in ${tables.length} files`]);
    expect(cells).toContainEqual(['contract', manifest.contractFingerprint]);
    expect(cells).toContainEqual(['row keys', 'impression_id, request']);
    expect(cells).toContainEqual(['labels', 'click = click, conversion = conversion']);
    expect(cells).toContainEqual(['trained on', expect.stringContaining('(3000 rows)')]);
    const mean = model.bundle.reference!.scores.pctr.mean.toPrecision(4);
    expect(cells).toContainEqual([
      'reference',
      expect.stringMatching(
        new RegExp(
          `^1500 rows with mean pCTR ${mean} and pCVR 0\\.\\d+; 3 days from 2024-03-01 to 2024-03-03; ` +
            "no slices; up to 0.00% of a day's rows with a repeated key$",
        ),
      ),
    ]);
    expect(cells).toContainEqual(['feature', 'kind', 'column', 'table', 'rows']);
    expect(cells).toContainEqual(['recent_item_ids', 'list', 'recent_item_ids', 'item', '61']);
    expect(cells).toContainEqual(['log_price', 'numeric', 'price', '-', '-']);
    expect(cells.filter(([, kind]) => /^(categorical|list|numeric|bucketed)$/.test(kind ?? ''))).toHaveLength(
      contract.features.length,
    );
  });

  test('a bundle that is verified says so', async () => {
    const verified = descriptionText(await describeUri(model.bundleUri, { verify: true })).split('\n');
    expect(verified).toContainEqual(
      expect.stringMatching(/^verified +sizes, checksums, interface and golden rows$/),
    );
  });

  test('a bundle without a reference', async () => {
    const copy = join(folder, 'no-reference');
    cpSync(model.bundleUri, copy, { recursive: true });
    const { 'reference.json': _reference, ...files } = model.bundle.manifest.files;
    writeFileSync(join(copy, 'bundle.json'), JSON.stringify({ ...model.bundle.manifest, files }));
    expect(await cellsOf(copy)).toContainEqual(['reference', expect.stringMatching(/^none: /)]);
  });

  test('a shard: rows, row groups and columns with their types', async () => {
    const cells = await cellsOf(shard);
    expect(cells).toContainEqual(['parquet shard', shard]);
    expect(cells).toContainEqual(['rows', '100']);
    expect(cells).toContainEqual(['row groups', '3 of 20 to 40 rows']);
    expect(cells).toContainEqual(['item_id', 'Int64']);
    expect(cells).toContainEqual(['tags', 'List<Utf8>']);
  });

  test('a prediction file: metadata, columns and its first rows', async () => {
    const cells = await cellsOf(predictions);
    expect(cells).toContainEqual(['prediction file', predictions]);
    expect(cells).toContainEqual(['rows', '100']);
    expect(cells).toContainEqual(['ncs4cvr.model_version', 'tiny-1']);
    expect(cells).toContainEqual(['ncs4cvr.input_uri', shard]);
    expect(cells).toContainEqual(['pctr', 'Float32', 'no']);
    expect(cells).toContainEqual(['impression_id', 'request', 'pctr', 'pcvr', 'pctcvr']);
    expect(cells.filter(([id]) => /^20240304\d{6}$/.test(id ?? ''))).toHaveLength(5);
  });

  test('keys of every kind can be shown', async () => {
    const input = join(folder, 'keys.parquet');
    const output = join(folder, 'keys.arrow');
    writeFileSync(input, keyShard(keyRows(10), 10));
    await scoreInput(input, output, withRowKeys(model.bundle, KEY_NAMES), { workers: 1 });
    const lines = descriptionText(await describeUri(output)).split('\n');
    const head = lines.findIndex((line) => /^id +unsigned/.test(line));
    expect(lines.slice(head + 1)).toHaveLength(5);
    // Row 1 is null in every nullable column.
    expect(lines[head + 2]).toMatch(/^4611686018427387905 +null +null +null +null +null +null +0\.\d+/);
    // Row 2 has bytes that are no text, which `explain --key` takes as they are shown.
    expect(lines[head + 3]).toMatch(/ 0x00ff /);
    expect(lines[head + 3]).toContain('1969-11-14');
    expect(lines[head + 3]).toContain('2022-04-15T05:20:00.002Z');
  });

  test('a timestamp key is shown to its last digit, as `explain --key` takes it', async () => {
    const file = join(folder, 'micros.arrow');
    const type = new TimestampMicrosecond('UTC');
    // A microsecond apart, and a whole millisecond.
    const values = BigInt64Array.of(1_775_001_600_000_123n, 1_775_001_600_000_124n, 1_775_001_600_001_000n);
    const at = makeVector(makeData({ type, length: values.length, data: values }));
    writeFileSync(file, tableToIPC(new Table({ at }), 'file'));
    const { tables } = await describeUri(file);
    const shown = tables.firstRows!.slice(1).map(([text]) => text!);
    expect(shown).toEqual(['1775001600000123', '1775001600000124', '2026-04-01T00:00:00.001Z']);
    const wanted = shown.map((text) => Buffer.from(keyBytesOf(text, type)!).readBigInt64LE(1));
    expect(wanted).toEqual([...values]);
  });

  test('a shard and a prediction file without rows', async () => {
    const input = join(folder, 'empty.parquet');
    const output = join(folder, 'empty.arrow');
    writeFileSync(input, funnelShard([], 10));
    await scoreInput(input, output, model.bundle, { workers: 1 });
    expect(await cellsOf(input)).toContainEqual(['rows', '0']);
    expect(await cellsOf(output)).toContainEqual(['rows', '0']);
  });

  test('anything else is INSPECT_UNKNOWN; nothing at all is STORAGE_NOT_FOUND', async () => {
    const text = join(folder, 'text.txt');
    const empty = join(folder, 'empty.txt');
    const plain = join(folder, 'plain');
    writeFileSync(text, 'hello');
    writeFileSync(empty, '');
    mkdirSync(plain);
    for (const [uri, found] of [
      [text, '"hello"'],
      [empty, 'an empty file'],
      [plain, 'a folder that is no bundle and has no shard'],
      ['/dev/null', 'a device or pipe that is no bundle'],
    ] as const) {
      await expect(describeUri(uri)).rejects.toMatchObject({
        code: 'INSPECT_UNKNOWN',
        location: { file: uri },
        found,
      });
    }
    await expect(describeUri(join(folder, 'nothing'))).rejects.toMatchObject({ code: 'STORAGE_NOT_FOUND' });
  });

  test('a damaged file is an error, never a description of a part', async () => {
    const damaged = join(folder, 'damaged');
    const describeBytes = (bytes: Uint8Array) => {
      writeFileSync(damaged, bytes);
      return describeUri(damaged);
    };
    const whole = readFileSync(predictions);
    for (const share of [0.1, 0.5, 0.9, 0.99]) {
      const part = whole.subarray(0, Math.floor(share * whole.length));
      await expect(describeBytes(part)).rejects.toMatchObject({ code: 'PREDICTION_FILE_INVALID' });
    }
    const wholeShard = readFileSync(shard);
    await expect(describeBytes(wholeShard.subarray(0, 1000))).rejects.toMatchObject({
      code: 'SHARD_TRUNCATED',
    });

    const bundle = join(folder, 'damaged-bundle');
    cpSync(model.bundleUri, bundle, { recursive: true });
    const onnx = readFileSync(join(bundle, 'model.onnx'));
    onnx[onnx.length >> 1]! ^= 1;
    writeFileSync(join(bundle, 'model.onnx'), onnx);
    await expect(describeUri(bundle, { verify: true })).rejects.toMatchObject({ code: 'BUNDLE_CORRUPT' });
    // Its bytes aren't read otherwise, and it says so; a size tells most damage.
    expect(await cellsOf(bundle)).toContainEqual(['verified', expect.stringMatching(/^sizes alone/)]);
    writeFileSync(join(bundle, 'model.onnx'), onnx.subarray(1));
    rmSync(join(bundle, vocabularyPath('item')));
    await expect(describeUri(bundle)).rejects.toMatchObject({
      code: 'BUNDLE_CORRUPT',
      problems: [
        `model.onnx: expected ${onnx.length} bytes, found ${onnx.length - 1}`,
        expect.stringMatching(/^vocabularies\/item\.vocab: expected \d+ bytes, found none$/),
      ],
    });
  });
});

describe('a folder of shards', () => {
  const shards = join(folder, 'shards');

  test('how many, how large, and the columns of them', async () => {
    for (const day of ['2024-03-04', '2024-03-05']) {
      mkdirSync(join(shards, `dt=${day}`), { recursive: true });
      writeFileSync(join(shards, `dt=${day}`, 'part-0'), funnelShard(funnelRows(day, 100), 40));
    }
    writeFileSync(join(shards, 'README.md'), 'no shard');
    const { kind, facts, tables } = await describeUri(shards);
    expect({ kind, facts }).toMatchObject({
      kind: 'folder of shards',
      facts: {
        shards: 2,
        rows: 200,
        'from, to': 'dt=2024-03-04/part-0, dt=2024-03-05/part-0',
        columns: 'the same in each shard that was looked at',
        'no shards': '1, such as README.md',
      },
    });
    expect(tables).toEqual((await describeUri(join(shards, 'dt=2024-03-04/part-0'))).tables);
  });

  test('names a shard whose columns are others', async () => {
    writeFileSync(join(shards, 'z.parquet'), keyShard(keyRows(3), 3));
    const { facts } = await describeUri(shards);
    expect(facts.columns).toBe('those of dt=2024-03-04/part-0; others in 1 of 3, such as z.parquet');
  });

  test('names a broken and an empty shard, and tells of the others', async () => {
    const some = join(folder, 'broken');
    mkdirSync(some);
    writeFileSync(join(some, 'a.parquet'), '');
    writeFileSync(join(some, 'b.parquet'), funnelShard(funnelRows('2024-03-04', 70), 40));
    writeFileSync(join(some, 'c.parquet'), 'PAR1 is what it begins with');
    const description = await describeUri(some);
    const { facts, tables, broken } = description;
    expect(facts).toMatchObject({
      ...{ shards: 3, rows: '70 in 1 shards that were looked at', broken: '2 of 3, see below' },
      columns: 'the same in each shard that was looked at',
    });
    expect(tables.columns).toEqual((await describeUri(join(some, 'b.parquet'))).tables.columns);
    expect(broken).toEqual([
      { shard: 'a.parquet', message: expect.stringMatching(/^SHARD_NOT_PARQUET.*a\.parquet/) },
      { shard: 'c.parquet', message: expect.stringMatching(/^SHARD_TRUNCATED.*c\.parquet/) },
    ]);
    expect(descriptionText(description)).toMatch(/^broken +why\na\.parquet +SHARD_NOT_PARQUET/m);
    rmSync(join(some, 'b.parquet'));
    expect(await describeUri(some)).toMatchObject({
      facts: { rows: '0 in 0 shards that were looked at' },
      tables: {},
    });
  });
});

test('an ONNX file: its inputs and outputs, without a session', async () => {
  const file = join(folder, 'plain.ONNX');
  writeFileSync(file, plainModel(gatheredModel(model.bundle.model, model.bundleUri), model.bundle.layout));
  const { kind, tables } = await describeUri(file);
  expect(kind).toBe('ONNX model');
  const [, ...rows] = tables.tensors!;
  expect(rows.map(([what, name]) => `${what} ${name}`).sort()).toEqual([
    'input dense',
    'input list_rows',
    'input list_weights',
    'input single_rows',
    'output pctcvr',
    'output pctr',
    'output pcvr',
  ]);
  writeFileSync(file, 'no model');
  await expect(describeUri(file)).rejects.toThrow('GRAPH_UNREADABLE');
});
