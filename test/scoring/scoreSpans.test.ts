import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { concatenatePredictions } from '../../lib/arrow/concatenatePredictions.ts';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { ScoringSession } from '../../lib/bundle/scoringSession.ts';
import type { ShardSpan } from '../../lib/scoring/openSpans.ts';
import { PoolRoom } from '../../lib/scoring/poolRoom.ts';
import { partMetadata } from '../../lib/scoring/predictionMetadata.ts';
import { readRowGroups } from '../../lib/scoring/readRowGroups.ts';
import { RequestScorer } from '../../lib/scoring/requestScorer.ts';
import { scoreShard } from '../../lib/scoring/scoreShard.ts';
import { type ScoreSpansOptions, type SpanPosition, scoreSpans } from '../../lib/scoring/scoreSpans.ts';
import type { ScoringRequest } from '../../lib/scoring/scoringProtocol.ts';
import { scoringPool, type WorkerPool } from '../../lib/scoring/workerPool.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { overwritten, writeShard } from '../parquet/sampleShards.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { filesBelow } from './filesBelow.ts';
import { KEY_NAMES, type KeyRow, keyRows, keyShard, withRowKeys } from './keyShard.ts';
import { readTable, scoreBits } from './readScores.ts';

const folder = temporaryFolder();
const rows = funnelRows('2024-03-04', 36_500);
/** Rows of the shards and of their row groups: small ones, one without rows, and one larger than a request. */
const SHARDS: readonly (readonly [rows: number, rowGroupRows: number])[] = [
  [500, 200],
  [1, 1],
  [500, 500],
  [0, 1],
  [33_500, 33_000],
  [700, 33],
  [299, 300],
];
const spans: ShardSpan[] = [];
let bundle: ModelBundle;
let pool: WorkerPool;
let expected: Map<bigint, string>;

beforeAll(async () => {
  ({ bundle } = await trainTinyModel(join(folder, 'model')));
  pool = scoringPool(bundle, 2);
  expected = new Map();
  mkdirSync(join(folder, 'shards'));
  let at = 0;
  for (const [index, [rowCount, rowGroupRows]] of SHARDS.entries()) {
    const uri = join(folder, `shards/${index}.parquet`);
    writeFileSync(uri, funnelShard(rows.slice(at, at + rowCount), rowGroupRows));
    at += rowCount;
    spans.push({ uri, known: (await localDisk.stat(uri))! });
    const alone = join(folder, `alone/${index}.arrow`);
    await scoreShard(uri, alone, bundle, pool);
    for (const [id, bits] of scoreBits(alone)) expected.set(id, bits);
  }
});

afterAll(() => pool.close());
afterEach(() => vi.restoreAllMocks());

const sha256Of = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');
const metadata = () => partMetadata(bundle, { inputCount: spans.length, rowCount: 35_500 });

function score(
  name: string,
  some: readonly ShardSpan[],
  options: Partial<ScoreSpansOptions> = {},
  by = pool,
) {
  return scoreSpans(some, join(folder, 'out', name), bundle, by, { metadata, ...options });
}

/** The pool, with all requests that it gets. */
function watched(): { readonly requests: ScoringRequest[]; readonly by: WorkerPool } {
  const requests: ScoringRequest[] = [];
  const run = (request: ScoringRequest) => {
    requests.push(request);
    return pool.run(request);
  };
  return { requests, by: { room: new PoolRoom(0), run } as unknown as WorkerPool };
}

describe('scoreSpans', () => {
  test('scores the rows of all spans in order, each with the bits that it has alone in its shard', async () => {
    const { requests, by } = watched();
    const scored = await score('whole.arrow', spans, {}, by);
    expect(scored).toMatchObject({ rowCount: 35_500, isCreated: true });
    expect(scored.stoppedAt).toBeUndefined();
    expect(scored.profile.features.find(({ name }) => name === 'hour')).toMatchObject({ values: 35_500 });
    expect(scored.sizeBytes).toBe(statSync(join(folder, 'out/whole.arrow')).size);
    // 35,500 rows in 29 row groups of 6 shards: the large row group alone, its neighbours together.
    const packed = requests.map(({ rowGroups }) =>
      rowGroups.reduce((sum, { reads }) => sum + reads.rowCount, 0),
    );
    expect(packed).toEqual([1001, 33_000, 1499]);
    const bits = scoreBits(join(folder, 'out/whole.arrow'));
    expect([...bits]).toEqual([...expected]);
    const { metadata: entries } = readTable(join(folder, 'out/whole.arrow')).schema;
    expect(Object.fromEntries(entries)).toEqual({
      'ncs4cvr.model_version': bundle.manifest.modelVersion,
      'ncs4cvr.model_sha256': expect.stringMatching(/^[0-9a-f]{64}$/),
      'ncs4cvr.contract_fingerprint': bundle.manifest.contractFingerprint,
      'ncs4cvr.input_count': '7',
      'ncs4cvr.row_count': '35500',
    });
  });

  test('the bytes follow from the shards: the same elsewhere, by other threads, as listed or as found', async () => {
    const elsewhere = spans.map(({ uri }, index) => {
      const path = join(folder, `elsewhere/${index}.parquet`);
      mkdirSync(join(path, '..'), { recursive: true });
      writeFileSync(path, readFileSync(uri));
      return { uri: path };
    });
    const one = scoringPool(bundle, 1);
    await score('elsewhere.arrow', elsewhere, {}, one);
    await one.close();
    expect(sha256Of(join(folder, 'out/elsewhere.arrow'))).toBe(sha256Of(join(folder, 'out/whole.arrow')));
  });

  test('a request runs the session as often as its rows need, however many row groups they come in', async () => {
    const runs = vi.spyOn(ScoringSession.prototype, 'score');
    const scorer = await RequestScorer.create({ ...bundle, extraColumns: [] });
    const { requests, by } = watched();
    await score('runs.arrow', spans.slice(5, 6), {}, by);
    const [{ rowGroups }] = requests as [ScoringRequest];
    expect(rowGroups).toHaveLength(22);
    // The buffers went to a thread.
    const again = await readRowGroups(rowGroups.map(({ buffer: _, ...rest }) => rest));
    const scored = await scorer.score({ rowGroups: again });
    await scorer.close();
    expect(scored.rowCount).toBe(700);
    expect(runs.mock.calls).toEqual([[512], [188]]);
  });

  test('takes the row groups asked for of each span', async () => {
    const ranges = [
      { uri: spans[0]!.uri, rowGroups: { first: 1, end: 2 } },
      { uri: spans[5]!.uri, rowGroups: { first: 20, end: 22 } },
    ];
    const progress: [number, number][] = [];
    await score('ranges.arrow', ranges, { onRows: (...call) => progress.push(call) });
    const ids = [...scoreBits(join(folder, 'out/ranges.arrow')).keys()];
    const all = [...expected.keys()];
    expect(ids).toEqual([...all.slice(200, 400), ...all.slice(35_161, 35_201)]);
    expect(progress).toEqual([
      [200, 200],
      [33, 40],
      [7, 40],
    ]);
  });

  test('row keys of every type, with nulls, have the same bytes in one shard as in shards of two schemas by turns', async () => {
    const keyed = withRowKeys(bundle, KEY_NAMES);
    const keyPool = scoringPool(keyed, 1);
    const write = (name: string, some: readonly KeyRow[], hasMore = false) => {
      const uri = join(folder, `${name}.parquet`);
      writeFileSync(uri, keyShard(some, 7, hasMore));
      return { uri };
    };
    const one = [write('keys', keyRows(100))];
    const many = Array.from({ length: 15 }, (_, index) =>
      write(`keys-${index}`, keyRows(Math.min(7, 100 - 7 * index), 7 * index), index % 2 === 1),
    );
    await scoreSpans(one, join(folder, 'keys-one.arrow'), keyed, keyPool, { metadata });
    await scoreSpans(many, join(folder, 'keys-many.arrow'), keyed, keyPool, { metadata });
    await keyPool.close();
    expect(sha256Of(join(folder, 'keys-many.arrow'))).toBe(sha256Of(join(folder, 'keys-one.arrow')));
    const found = readTable(join(folder, 'keys-many.arrow'));
    // A request's rows are one batch.
    expect(found.batches.map(({ numRows }) => numRows)).toEqual([100]);
    const texts = (key: keyof KeyRow) => [...found.getChild(key)!].map(String);
    for (const key of ['id', 'unsigned', 'small', 'name', 'raw'] as const) {
      expect(texts(key)).toEqual(keyRows(100).map((row) => String(row[key])));
    }
  });
});

describe('a call that is stopped', () => {
  test('leaves a whole file and says where to go on; the files joined are the bytes of one call', async () => {
    const pieces: string[] = [];
    const stops: SpanPosition[] = [];
    let from: SpanPosition | undefined = { span: 0, rowGroup: 0 };
    while (from !== undefined) {
      const name = `piece-${pieces.length}.arrow`;
      const scored = await score(name, spans, { from, mayGoOn: () => false });
      pieces.push(join(folder, 'out', name));
      expect(scoreBits(pieces.at(-1)!).size).toBe(scored.rowCount);
      from = scored.stoppedAt;
      if (from !== undefined) stops.push(from);
    }
    expect(stops).toEqual([
      { span: 4, rowGroup: 0 },
      { span: 4, rowGroup: 1 },
    ]);
    await concatenatePredictions(pieces, join(folder, 'out/joined.arrow'));
    expect(sha256Of(join(folder, 'out/joined.arrow'))).toBe(sha256Of(join(folder, 'out/whole.arrow')));
  });

  test('can go on at any row group, also in the middle of what would have been one request: the same rows and scores', async () => {
    const first = { ...spans[5]!, rowGroups: { first: 0, end: 4 } };
    await score('upto.arrow', [...spans.slice(0, 5), first]);
    await score('onward.arrow', spans, { from: { span: 5, rowGroup: 4 } });
    const pieces = ['upto.arrow', 'onward.arrow'].map((name) => join(folder, 'out', name));
    await concatenatePredictions(pieces, join(folder, 'out/rejoined.arrow'));
    expect([...scoreBits(join(folder, 'out/rejoined.arrow'))]).toEqual([...expected]);
  });

  test('is told how many rows wait, how many are written, and for how long it runs', async () => {
    const { by } = watched();
    const questions: number[][] = [];
    await score('asked.arrow', spans, { mayGoOn: (...asked) => questions.push(asked) > 0 }, by);
    expect(questions.map(([nextRows, rowsSoFar]) => [nextRows, rowsSoFar])).toEqual([
      [33_000, 1001],
      [1499, 34_001],
    ]);
    const seconds = questions.map(([, , each]) => each!);
    expect(seconds[0]).toBeGreaterThan(0);
    expect(seconds[1]).toBeGreaterThan(seconds[0]!);
  });
});

describe('a shard that does not fit', () => {
  test('the row keys of another type: PART_KEYS_DIFFER names shard, column and both types', async () => {
    const other = join(folder, 'other-keys.parquet');
    const some = rows.slice(0, 3);
    const column = <T>(name: keyof (typeof some)[number], type: string) => ({
      name,
      type: type as 'STRING',
      data: some.map((row) => row[name] as T),
    });
    writeFileSync(
      other,
      writeShard([
        { name: 'impression_id', type: 'STRING', data: some.map((row) => String(row.impression_id)) },
        column('request', 'STRING'),
        column('user_id', 'INT64'),
        column('item_id', 'INT64'),
        column('device', 'STRING'),
        column('hour', 'INT32'),
        column('age', 'DOUBLE'),
        column('price', 'DOUBLE'),
      ]),
    );
    const optional = {
      ...bundle.contract,
      features: bundle.contract.features.map((f) => ({ ...f, required: false })),
    };
    await expect(
      scoreSpans(
        [spans[0]!, { uri: other }],
        join(folder, 'out/differ.arrow'),
        { ...bundle, contract: optional },
        pool,
        { metadata },
      ),
    ).rejects.toMatchObject({
      code: 'PART_KEYS_DIFFER',
      location: { file: other, column: 'impression_id' },
      expected: `Int64, as in ${spans[0]!.uri}`,
      found: 'Utf8',
    });
    expect(filesBelow(join(folder, 'out'))).not.toContain('differ.arrow');
  });

  test('a null in a key that the first shard rules out: PART_KEYS_DIFFER; a nullable key without one is fine; where keys are needed, the row is named', async () => {
    const [strict, loose] = ['strict', 'loose'].map((name) => join(folder, `${name}.parquet`));
    const keyed = withRowKeys(bundle, ['key']);
    const keyPool = scoringPool(keyed, 1);
    const shardOf = (nullable: boolean, data: (bigint | null)[]) =>
      writeShard([{ name: 'key', data }], {
        schema: [
          { name: 'root', num_children: 1 },
          { name: 'key', type: 'INT64', repetition_type: nullable ? 'OPTIONAL' : 'REQUIRED' },
        ],
        rowGroupSize: 3,
      });
    writeFileSync(strict!, shardOf(false, [1n, 2n]));
    const both = (options: Partial<ScoreSpansOptions> = {}) =>
      scoreSpans([{ uri: strict! }, { uri: loose! }], join(folder, 'out/loose.arrow'), keyed, keyPool, {
        metadata,
        ...options,
      });
    writeFileSync(loose!, shardOf(true, [3n, 4n]));
    await both();
    expect([...readTable(join(folder, 'out/loose.arrow')).getChild('key')!]).toEqual([1n, 2n, 3n, 4n]);
    writeFileSync(loose!, shardOf(true, [3n, null]));
    await expect(both()).rejects.toMatchObject({
      code: 'PART_KEYS_DIFFER',
      location: { file: loose, column: 'key' },
      found: '1 nulls',
    });
    writeFileSync(loose!, shardOf(true, [3n, 4n, 5n, 6n, null, null]));
    await expect(both({ needsKeys: true })).rejects.toMatchObject({
      code: 'SHARD_KEY_NULL',
      location: { file: loose, rowGroup: 1, column: 'key' },
      found: '2 nulls, the first in row 1',
    });
    await keyPool.close();
  });

  test.each([
    ['SHARD_NOT_PARQUET', () => Buffer.from('no parquet at all, whatever its name says')],
    ['SHARD_COLUMN_MISSING', () => keyShard(keyRows(3), 3)],
    ['SHARD_PAGE_CORRUPT', () => overwritten(readFileSync(spans[2]!.uri), 4, new Uint8Array(30).fill(0xff))],
  ])('is named (%s), ends the call, and leaves no file', async (code, bytesOf) => {
    const bad = join(folder, 'bad.parquet');
    writeFileSync(bad, bytesOf());
    const error = await score('bad.arrow', [spans[0]!, { uri: bad }, spans[1]!]).catch(
      (thrown: unknown) => thrown,
    );
    const expectedCode = code === 'SHARD_COLUMN_MISSING' ? 'SHARD_COLUMNS' : code;
    expect(error).toMatchObject({ code: expectedCode, location: { file: bad } });
    expect(filesBelow(join(folder, 'out'))).not.toContain('bad.arrow');
    expect(pool.room.heldRequests).toBe(0);
  });

  test('another version than the one it was planned for: STORAGE_FILE_CHANGED', async () => {
    const known = { ...spans[2]!.known!, version: 'older' };
    await expect(score('changed.arrow', [spans[0]!, { uri: spans[2]!.uri, known }])).rejects.toMatchObject({
      code: 'STORAGE_FILE_CHANGED',
      location: { file: spans[2]!.uri },
    });
  });

  test('no spans at all are refused', async () => {
    await expect(score('none.arrow', [])).rejects.toThrow(RangeError);
  });
});
