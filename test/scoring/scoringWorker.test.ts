import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { compiledSibling } from '../../lib/base/workerThread.ts';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { packReads } from '../../lib/scoring/packedReads.ts';
import { PoolRoom } from '../../lib/scoring/poolRoom.ts';
import { scoreShard } from '../../lib/scoring/scoreShard.ts';
import type { WorkerReply, WorkerSetup } from '../../lib/scoring/scoringProtocol.ts';
import { scoringPool, type WorkerPool } from '../../lib/scoring/workerPool.ts';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

// Threads of their own (test/support/threads/reusedThreads.ts).
vi.unmock('node:worker_threads');

// The compiled thread alone: whatever scoreShard asks a pool for is sent to it by hand.
const script = compiledSibling(
  new URL('../../lib/scoring/workerPool.ts', import.meta.url).href,
  'scoringWorker.js',
);
const folder = temporaryFolder();
type Request = Parameters<WorkerPool['run']>[0];
let bundle: ModelBundle;
/** One request each: of many rows, of a few, and of rows whose bytes are damaged. */
let large: Request;
let small: Request;
let damaged: Request;
const LARGE_ROWS = 6000;
const SMALL_ROWS = 7;
const threads: Worker[] = [];

beforeAll(async () => {
  ({ bundle } = await trainTinyModel(join(folder, 'model')));
  large = await requestOf('large', LARGE_ROWS);
  small = await requestOf('small', SMALL_ROWS);
  damaged = await requestOf('damaged', 100);
  damaged.rowGroups[0]!.buffer!.fill(0);
});
afterAll(async () => {
  for (const thread of threads) await thread.terminate();
});

/** What scoreShard asks for when it scores a new shard of one row group. */
async function requestOf(name: string, rows: number): Promise<Request> {
  const input = join(folder, `${name}.parquet`);
  writeFileSync(input, funnelShard(funnelRows('2024-03-04', rows), rows));
  const pool = scoringPool(bundle, 1);
  const requests: Request[] = [];
  const recording = {
    room: new PoolRoom(Number.POSITIVE_INFINITY),
    run: (request: Request) => {
      // The pool hands the bytes of small shards over to its thread.
      requests.push(structuredClone(request));
      return pool.run(request);
    },
  } as unknown as WorkerPool;
  await scoreShard(input, join(folder, `${name}.arrow`), bundle, recording);
  await pool.close();
  expect(requests).toHaveLength(1);
  return requests[0]!;
}

interface Thread {
  /** The next reply; "the thread ended" when none comes any more. */
  readonly next: () => Promise<WorkerReply>;
  readonly send: (request: Request | null) => void;
  readonly exit: Promise<number>;
}

function start({ modelBytes = bundle.model.modelBytes }: { modelBytes?: Uint8Array } = {}): Thread {
  const setup: WorkerSetup = {
    contract: bundle.contract,
    vocabularies: bundle.vocabularies,
    model: { ...bundle.model, modelBytes },
    extraColumns: [],
  };
  const worker = new Worker(script, { workerData: setup });
  threads.push(worker);
  const replies: WorkerReply[] = [];
  let wake = () => {};
  let ended = false;
  worker.on('message', (reply: WorkerReply) => {
    replies.push(reply);
    wake();
  });
  const exit = new Promise<number>((resolve) => {
    worker.on('exit', (code) => {
      ended = true;
      wake();
      resolve(code);
    });
  });
  const next = async () => {
    while (replies.length === 0) {
      if (ended) throw new Error('the thread ended');
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    return replies.shift()!;
  };
  const send = (request: Request | null) =>
    worker.postMessage(request && { ...request, ...packReads(request.rowGroups) });
  return { next, send, exit };
}

const scoredRows = (rowCount: number) => ({ kind: 'scored', result: { rowCount } });
const ownModel = () => {
  const shared = new Uint8Array(new SharedArrayBuffer(bundle.model.modelBytes.length));
  shared.set(bundle.model.modelBytes);
  return shared;
};

/** Of a class that nobody has who gets it. */
function unreadable(): Blob {
  const symbols = Object.getOwnPropertySymbols(Blob.prototype);
  const clone = symbols.find(({ description }) => description === 'messaging_clone_symbol')!;
  return Object.defineProperty(new Blob([]), clone, {
    value: () => ({ data: {}, deserializeInfo: 'internal/none:None' }),
  });
}

describe('a scoring thread', () => {
  test('ends at a message that it cannot read, with or without a setup: silence would be waited for', async () => {
    for (const options of [{}, { workerData: { contract: bundle.contract } }]) {
      const worker = new Worker(script, options);
      threads.push(worker);
      const ended = new Promise<Error>((resolve) => worker.once('error', resolve));
      worker.postMessage(unreadable());
      expect((await ended).message).toContain('internal/none');
    }
  });

  test('answers requests one after the other, in their order, and ends when it is told, not before they are done', async () => {
    const { next, send, exit } = start();
    for (const request of [large, small, large, small, null]) send(request);
    for (const rows of [LARGE_ROWS, SMALL_ROWS, LARGE_ROWS, SMALL_ROWS]) {
      expect(await next()).toMatchObject(scoredRows(rows));
    }
    expect(await exit).toBe(0);
    await expect(next()).rejects.toThrow('the thread ended');
  });

  test('sends scores and keys of every row, the same however often it is asked', async () => {
    const { next, send } = start();
    send(small);
    const first = await next();
    send(small);
    expect(await next()).toEqual(first);
    const { result } = first as WorkerReply & { kind: 'scored' };
    for (const name of ['pctr', 'pcvr', 'pctcvr'] as const) expect(result[name]).toHaveLength(SMALL_ROWS);
    expect(result.columnsIpc.length).toBeGreaterThan(0);
    send(null);
  });

  test('tells of a request that failed with code and place, and goes on', async () => {
    const { next, send, exit } = start();
    for (const request of [damaged, small, null]) send(request);
    expect(await next()).toMatchObject({
      kind: 'failed',
      isRetiring: false,
      error: { code: 'SHARD_PAGE_CORRUPT', location: { file: join(folder, 'damaged.parquet'), rowGroup: 0 } },
    });
    expect(await next()).toMatchObject(scoredRows(SMALL_ROWS));
    expect(await exit).toBe(0);
  });

  test('forgets that a model could not be loaded: the next request tries again', async () => {
    const modelBytes = ownModel();
    modelBytes.fill(0);
    const { next, send, exit } = start({ modelBytes });
    send(small);
    expect(await next()).toMatchObject({ kind: 'failed', isRetiring: false });
    send(small);
    expect(await next()).toMatchObject({ kind: 'failed', isRetiring: false });
    modelBytes.set(bundle.model.modelBytes);
    send(small);
    expect(await next()).toMatchObject(scoredRows(SMALL_ROWS));
    send(null);
    expect(await exit).toBe(0);
  });

  test('loads its model once', async () => {
    const modelBytes = ownModel();
    const { next, send } = start({ modelBytes });
    send(small);
    expect(await next()).toMatchObject(scoredRows(SMALL_ROWS));
    modelBytes.fill(0);
    send(small);
    expect(await next()).toMatchObject(scoredRows(SMALL_ROWS));
    send(null);
  });

  test('ends when it is told, whether it has scored nothing or its model was of no use', async () => {
    const unused = start();
    unused.send(null);
    expect(await unused.exit).toBe(0);
    const broken = start({ modelBytes: new Uint8Array(100) });
    broken.send(small);
    broken.send(null);
    expect(await broken.next()).toMatchObject({ kind: 'failed', error: { code: 'GRAPH_INVALID' } });
    expect(await broken.exit).toBe(0);
  });

  test('is nothing to run in the main thread', async () => {
    await expect(import('../../lib/scoring/scoringWorker.ts')).rejects.toThrow(
      'runs as a worker thread only',
    );
  });
});
