import { mkdirSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type FileMetaData, parquetMetadata } from 'hyparquet';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { Ncs4cvrError } from '../../lib/base/errors.ts';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { openShard } from '../../lib/parquet/openShard.ts';
import { readRowGroup } from '../../lib/parquet/readRowGroup.ts';
import { rowGroupReads } from '../../lib/parquet/rowGroupReads.ts';
import { isDecoderPoisoned } from '../../lib/parquet/wasmDecoder.ts';
import { readRowGroups } from '../../lib/scoring/readRowGroups.ts';
import { type ScoringReport, scoreInput } from '../../lib/scoring/scoreInput.ts';
import type { ScoringRequest } from '../../lib/scoring/scoringProtocol.ts';
import { WorkerPool } from '../../lib/scoring/workerPool.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { memoryFile } from '../parquet/memoryFile.ts';
import { overwritten, withMetadata } from '../parquet/sampleShards.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { filesBelow } from './filesBelow.ts';
import { scoreBits } from './readScores.ts';

// Threads of their own (test/support/threads/reusedThreads.ts).
vi.unmock('node:worker_threads');

const folder = temporaryFolder();
const good = funnelShard(funnelRows('2024-03-04', 120), 40);
let bundle: ModelBundle;
let goodBits: Map<bigint, string>;

beforeAll(async () => {
  ({ bundle } = await trainTinyModel(join(folder, 'model')));
  await score('good', { 'good.parquet': good }, 1);
  goodBits = scoreBits(join(folder, 'good-scores/good.arrow'));
});

async function score(
  name: string,
  files: Readonly<Record<string, Uint8Array>>,
  workers = 2,
): Promise<ScoringReport> {
  const input = join(folder, name);
  mkdirSync(input);
  for (const [file, bytes] of Object.entries(files)) writeFileSync(join(input, file), bytes);
  return scoreInput(input, `${input}-scores`, bundle, { workers });
}

/** Code and place of every failure by file name, the folder cut off. */
function failuresOf(report: ScoringReport, name: string): Record<string, unknown> {
  return Object.fromEntries(
    report.failures.map(({ inputUri, error }) => {
      expect(error).toBeInstanceOf(Ncs4cvrError);
      const { code, location } = error as Ncs4cvrError;
      expect(location.file).toBe(inputUri);
      const { file: _, ...place } = location;
      return [inputUri.slice(join(folder, name).length + 1), { code, ...place }];
    }),
  );
}

/** Page headers of one column chunk turned into garbage. */
function withBrokenChunk(bytes: Uint8Array, rowGroup: number, column: string): Uint8Array {
  const chunk = parquetMetadata(bytes).row_groups[rowGroup]!.columns.find(
    ({ meta_data: meta }) => meta!.path_in_schema[0] === column,
  )!.meta_data!;
  const startByte = Number(chunk.dictionary_page_offset ?? chunk.data_page_offset);
  return overwritten(bytes, startByte, new Uint8Array(8).fill(0xff));
}

function rename(metadata: FileMetaData, from: string, to: string): void {
  for (const element of metadata.schema) if (element.name === from) element.name = to;
  for (const { columns } of metadata.row_groups) {
    for (const { meta_data: meta } of columns) {
      if (meta!.path_in_schema[0] === from) meta!.path_in_schema[0] = to;
    }
  }
}

/** A shard on which arrow-rs panics instead of returning an error; seed 423 is the first with parquet-wasm 0.8. */
async function panickingShard(): Promise<Uint8Array> {
  const columns = [...bundle.contract.rowKeys, ...bundle.contract.features.map(({ column }) => column)];
  for (let seed = 420; seed <= 4000; seed++) {
    const bytes = overwritten(good, 4 + ((seed * 7919) % 2000), [(seed * 104729) % 256]);
    const shard = await openShard(memoryFile(bytes));
    const error = await readRowGroup(shard, 0, columns).catch((thrown: unknown) => thrown);
    if (isDecoderPoisoned(error)) return bytes;
  }
  throw new Error('no byte flip made the decoder panic');
}

/** A request for row groups of a shard on disk, to be read by the worker. @param version another one than the shard's */
async function requestOf(
  uri: string,
  rowGroups: readonly number[],
  columns: readonly string[],
  version?: string,
): Promise<ScoringRequest> {
  const file = await localDisk.open(uri);
  const shard = await openShard(file);
  await file.close();
  const { sizeBytes } = file;
  return {
    rowGroups: rowGroups.map((rowGroup) => ({
      ...{ span: 0, uri, sizeBytes, version: version ?? file.version },
      reads: rowGroupReads(shard, rowGroup, columns),
    })),
  };
}

describe('a broken shard', () => {
  test('fails with code and place, leaves no file of its own, and the others are scored', async () => {
    const report = await score('broken', {
      'a-good.parquet': good,
      'b-chunk.parquet': withBrokenChunk(good, 1, 'device'),
      'c-key.parquet': withBrokenChunk(good, 2, 'impression_id'),
      'd-truncated.parquet': good.subarray(0, good.length / 2),
      'e-missing.parquet': withMetadata(good, (metadata) => rename(metadata, 'hour', 'hours')),
      'f-ids.parquet': withMetadata(good, (metadata) => {
        rename(metadata, 'hour', 'old_hour');
        rename(metadata, 'play_rate', 'hour');
      }),
      'g-several.parquet': withMetadata(good, (metadata) => {
        rename(metadata, 'hour', 'old_hour');
        rename(metadata, 'request', 'old_request');
      }),
      'h-text.parquet': Buffer.from('this is no Parquet file at all'),
      'i-empty.parquet': new Uint8Array(0),
      'j-cut-data.parquet': withMetadata(good, ({ row_groups: groups }) => {
        groups[1]!.columns[0]!.meta_data!.total_compressed_size = 10_000_000n;
      }),
      'z-good.parquet': good,
    });
    expect(failuresOf(report, 'broken')).toEqual({
      'b-chunk.parquet': { code: 'SHARD_PAGE_CORRUPT', rowGroup: 1, column: 'device' },
      'c-key.parquet': { code: 'SHARD_PAGE_CORRUPT', rowGroup: 2, column: 'impression_id' },
      'd-truncated.parquet': { code: 'SHARD_TRUNCATED' },
      'e-missing.parquet': { code: 'SHARD_COLUMN_MISSING', column: 'hour' },
      'f-ids.parquet': { code: 'SHARD_ID_INVALID', column: 'hour', rowGroup: 0 },
      'g-several.parquet': { code: 'SHARD_COLUMNS' },
      'h-text.parquet': { code: 'SHARD_NOT_PARQUET' },
      'i-empty.parquet': { code: 'SHARD_NOT_PARQUET' },
      'j-cut-data.parquet': { code: 'SHARD_TRUNCATED', rowGroup: 1, column: 'impression_id' },
    });
    // In the order of the input, however the threads raced.
    expect(report.failures.map(({ inputUri }) => inputUri)).toEqual(
      report.failures.map(({ inputUri }) => inputUri).toSorted(),
    );
    expect(report.rows).toBe(240);
    expect(filesBelow(join(folder, 'broken-scores'))).toEqual(['a-good.arrow', 'z-good.arrow']);
    for (const name of ['a-good', 'z-good']) {
      expect(scoreBits(join(folder, `broken-scores/${name}.arrow`))).toEqual(goodBits);
    }
  });

  test('does not replace the output of an earlier run', async () => {
    mkdirSync(join(folder, 'kept-scores'));
    writeFileSync(join(folder, 'kept-scores/a.arrow'), 'earlier');
    const report = await score('kept', { 'a.parquet': withBrokenChunk(good, 1, 'hour') });
    expect(report.failures).toHaveLength(1);
    expect(filesBelow(join(folder, 'kept-scores'))).toEqual(['a.arrow']);
  });

  test('an output that can not be written fails its shard only', async () => {
    mkdirSync(join(folder, 'blocked-scores/a.arrow'), { recursive: true });
    const report = await score('blocked', { 'a.parquet': good, 'b.parquet': good });
    expect(report.failures.map(({ error }) => (error as Ncs4cvrError).code)).toEqual(['STORAGE_NOT_A_FILE']);
    expect(filesBelow(join(folder, 'blocked-scores'))).toEqual(['b.arrow']);
  });

  test('that makes the decoder panic retires its thread, and the rest is scored', async () => {
    let started = 0;
    const count = () => {
      started++;
    };
    process.on('worker', count);
    const report = await score('panic', { 'a.parquet': await panickingShard(), 'b.parquet': good }, 1);
    process.off('worker', count);
    expect(failuresOf(report, 'panic')).toMatchObject({
      'a.parquet': { code: 'SHARD_DECODER_PANIC', rowGroup: 0 },
    });
    expect(started).toBeGreaterThan(1);
    expect(filesBelow(join(folder, 'panic-scores'))).toEqual(['b.arrow']);
    expect(scoreBits(join(folder, 'panic-scores/b.arrow'))).toEqual(goodBits);
  });

  test.skipIf(process.platform !== 'linux')('leaves no file open', () => {
    const open = readdirSync('/proc/self/fd').flatMap((fd) => {
      try {
        return [readlinkSync(`/proc/self/fd/${fd}`)];
      } catch {
        return [];
      }
    });
    expect(open.filter((path) => path.startsWith(folder))).toEqual([]);
  });
});

describe('the pool with real threads', () => {
  const columns = () => [...bundle.contract.rowKeys, ...bundle.contract.features.map(({ column }) => column)];

  test('a row group of bytes that were replaced since is STORAGE_FILE_CHANGED and may be tried again', async () => {
    const shardUri = join(folder, 'good/good.parquet');
    const { contract, vocabularies, model } = bundle;
    const pool = new WorkerPool(1, { contract, vocabularies, model, extraColumns: [] });
    await expect(pool.run(await requestOf(shardUri, [0], columns(), 'old'))).rejects.toMatchObject({
      code: 'STORAGE_FILE_CHANGED',
      retryable: true,
      location: { file: shardUri },
    });
    await pool.close();
  });

  test('close lets a row group that runs finish', async () => {
    const shardUri = join(folder, 'good/good.parquet');
    const { contract, vocabularies, model } = bundle;
    const pool = new WorkerPool(1, { contract, vocabularies, model, extraColumns: [] });
    const { rowGroups } = await requestOf(shardUri, [0], columns());
    const running = pool.run({ rowGroups: await readRowGroups(rowGroups) });
    await pool.close();
    expect((await running).rowCount).toBe(40);
  });

  test('a model that onnxruntime refuses rejects every row group, and nothing hangs', async () => {
    const pool = new WorkerPool(2, {
      contract: bundle.contract,
      vocabularies: bundle.vocabularies,
      model: { ...bundle.model, modelBytes: new Uint8Array(100) },
      extraColumns: [],
    });
    const shardUri = join(folder, 'good/good.parquet');
    const requests = await Promise.all([0, 1, 2].map((index) => requestOf(shardUri, [index], columns())));
    const settled = await Promise.allSettled(requests.map((request) => pool.run(request)));
    for (const result of settled) {
      expect((result as PromiseRejectedResult).reason).toMatchObject({ code: 'GRAPH_INVALID' });
    }
    await pool.close();
  });
});
