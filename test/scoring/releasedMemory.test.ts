import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tableFromIPC } from 'apache-arrow';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { releaseMemory } from '../../lib/base/releaseMemory.ts';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { PoolRoom } from '../../lib/scoring/poolRoom.ts';
import { readRowGroups } from '../../lib/scoring/readRowGroups.ts';
import { RequestScorer } from '../../lib/scoring/requestScorer.ts';
import { scoreSpans } from '../../lib/scoring/scoreSpans.ts';
import type { ScoredRows, ScoringRequest } from '../../lib/scoring/scoringProtocol.ts';
import { scoringPool, type WorkerPool } from '../../lib/scoring/workerPool.ts';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { withRowKeys } from './keyShard.ts';

const folder = temporaryFolder();
let bundle: ModelBundle;
let pool: WorkerPool;
const metadata = () => new Map<string, string>();
const shard = join(folder, 'shard.parquet');
/** Few values, which the shard has in dictionaries. */
const KEYS = ['impression_id', 'user_id', 'item_id', 'device'] as const;
/** Row groups that each are more than half a request. */
const ROW_GROUP_ROWS = 20_000;
const rows = funnelRows('2024-03-04', 2 * ROW_GROUP_ROWS);

/**
 * While `run` runs, buffers can be detached as from Node 21 on, whatever Node this is: what is read of them after they were
 * given back shows.
 */
async function withDetachingTransfer<Result>(run: () => Promise<Result>): Promise<Result> {
  if ('transfer' in ArrayBuffer.prototype) return run();
  const transfer = function (this: ArrayBuffer): ArrayBuffer {
    return structuredClone(this, { transfer: [this] });
  };
  Object.defineProperty(ArrayBuffer.prototype, 'transfer', { value: transfer, configurable: true });
  try {
    return await run();
  } finally {
    Reflect.deleteProperty(ArrayBuffer.prototype, 'transfer');
  }
}

beforeAll(async () => {
  bundle = withRowKeys((await trainTinyModel(join(folder, 'model'))).bundle, KEYS);
  pool = scoringPool(bundle, 1);
  writeFileSync(shard, funnelShard(rows, ROW_GROUP_ROWS));
});

afterAll(() => pool.close());
afterEach(() => vi.restoreAllMocks());

/** The pool, which says what it is asked and what it has answered. */
function watched() {
  const requests: ScoringRequest[] = [];
  const results: ScoredRows[] = [];
  /** Of the results so far, when a request is sent. */
  const heldBytes: number[] = [];
  const run = async (request: ScoringRequest) => {
    requests.push(request);
    heldBytes.push(results.reduce((sum, { pctr, columnsIpc }) => sum + pctr.length + columnsIpc.length, 0));
    const rows = await pool.run(request);
    results.push(rows);
    return rows;
  };
  const by = { room: new PoolRoom(0), run } as unknown as WorkerPool;
  return { requests, results, heldBytes, by };
}

test('the memory of a request is given back once its rows are written, before the next one is sent', async () => {
  const [plain, released] = [join(folder, 'plain.arrow'), join(folder, 'released.arrow')];
  await scoreSpans([{ uri: shard }], plain, bundle, pool, { metadata });
  const { results, heldBytes, by } = watched();
  await withDetachingTransfer(() => scoreSpans([{ uri: shard }], released, bundle, by, { metadata }));
  expect(heldBytes).toEqual([0, 0]);
  for (const { columnsIpc, pctr, pcvr, pctcvr } of results) {
    expect([columnsIpc, pctr, pcvr, pctcvr].map(({ byteLength }) => byteLength)).toEqual([0, 0, 0, 0]);
  }
  expect(readFileSync(released).equals(readFileSync(plain))).toBe(true);
});

test('copies of row keys are given back once they are encoded, and neither these rows nor those of the next request miss them', async () => {
  const { requests, by } = watched();
  await scoreSpans([{ uri: shard }], join(folder, 'once.arrow'), bundle, by, { metadata });
  // The buffers went to a thread.
  const read = () => readRowGroups(requests[0]!.rowGroups.map(({ buffer: _, ...rest }) => rest));
  const scorer = await RequestScorer.create({ ...bundle, extraColumns: [] });
  const releasedBytes: number[] = [];
  const [first, second] = await withDetachingTransfer(async () => {
    const transfer = Reflect.get(ArrayBuffer.prototype, 'transfer');
    const watch = function (this: ArrayBuffer, length: number) {
      releasedBytes.push(this.byteLength);
      return transfer.call(this, length);
    };
    vi.spyOn(ArrayBuffer.prototype as never, 'transfer').mockImplementation(watch as never);
    return [await scorer.score({ rowGroups: await read() }), await scorer.score({ rowGroups: await read() })];
  });
  await scorer.close();
  // Three columns of integers of 64 bits that are dictionaries in the shard, twice.
  expect(releasedBytes.filter((bytes) => bytes === 8 * ROW_GROUP_ROWS)).toHaveLength(6);
  expect(second!.columnsIpc).toEqual(first!.columnsIpc);
  const found = tableFromIPC(first!.columnsIpc);
  for (const key of KEYS) {
    expect([...found.getChild(key)!].map(String)).toEqual(
      rows.slice(0, ROW_GROUP_ROWS).map((row) => String(row[key])),
    );
  }
});

test('arrays that were given back are empty, as are other views of their memory; shared memory stays', async () => {
  const buffer = new ArrayBuffer(64);
  const views = [new Float32Array(buffer, 8, 4), new Uint8Array(buffer)];
  const shared = new Int32Array(new SharedArrayBuffer(16));
  await withDetachingTransfer(async () => releaseMemory([views[0]!, shared]));
  expect(views.map(({ length }) => length)).toEqual([0, 0]);
  expect(shared.length).toBe(4);
});
