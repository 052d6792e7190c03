import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { ScoringRequest, WorkerSetup } from '../../lib/scoring/scoringProtocol.ts';
import { WorkerPool } from '../../lib/scoring/workerPool.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

// The pool alone, with a worker that does what the request's URI says.
const entry = vi.hoisted(() => ({ url: new URL('file:///') }));
vi.mock('../../lib/scoring/workerEntry.ts', () => ({ workerEntry: () => entry.url }));

const folder = temporaryFolder();
const script = join(folder, 'worker.mjs');
const obedient = pathToFileURL(script);
writeFileSync(
  script,
  `import { parentPort, threadId, workerData } from 'node:worker_threads';
  const clone = Object.getOwnPropertySymbols(Blob.prototype).find(({ description }) => description === 'messaging_clone_symbol');
  // Of a class that nobody has who gets it.
  class Unreadable extends Blob {
    [clone]() { return { data: {}, deserializeInfo: 'internal/none:None' }; }
  }
  const failed = (isRetiring) => ({
    kind: 'failed', isRetiring,
    error: { code: 'SHARD_PAGE_CORRUPT', message: 'SHARD_PAGE_CORRUPT: asked for', stack: 'at worker', location: { file: 'f' }, retryable: false },
  });
  parentPort.on('message', (request) => {
    if (request === null) return parentPort.close();
    const [{ uri, reads: { rowGroup }, buffer: sent }] = request.rowGroups;
    switch (uri) {
      case 'exit': return process.exit(3);
      case 'throw': return setImmediate(() => { throw new Error('on its own'); });
      case 'close': return parentPort.close();
      case 'fail': return parentPort.postMessage(failed(false));
      case 'retire': parentPort.postMessage(failed(true)); return parentPort.close();
      case 'garbled': return parentPort.postMessage(new Unreadable([]));
      case 'deaf':
        Atomics.wait(workerData.gate, 0, 0);
        return parentPort.postMessage({ kind: 'scored', result: {} });
      case 'last':
        parentPort.postMessage({ kind: 'scored', result: { rowCount: rowGroup } });
        return setTimeout(() => process.exit(0), 20);
      case 'slow':
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 150);
        return parentPort.postMessage({ kind: 'scored', result: { rowCount: rowGroup } });
      default: parentPort.postMessage({ kind: 'scored', result: { rowCount: rowGroup, threadId, sent, model: workerData.model.modelBytes } });
    }
  });`,
);

/** Opened, it lets threads go that are deaf. */
const gate = new Int32Array(new SharedArrayBuffer(4));
const setup = {
  gate,
  contract: {},
  model: { modelBytes: Uint8Array.of(1, 2, 3), inputs: [], tables: [] },
  extraColumns: [],
} as unknown as WorkerSetup;
const pools: WorkerPool[] = [];

function poolOf(size: number, url = obedient, answerMillis?: number): WorkerPool {
  entry.url = url;
  const pool = new WorkerPool(size, setup, answerMillis === undefined ? {} : { answerMillis });
  pools.push(pool);
  return pool;
}

function task(uri: string, rowGroup = 0): ScoringRequest {
  // With its bytes: nothing is read.
  const buffer = new Uint8Array(1);
  return { rowGroups: [{ uri, reads: { rowGroup, columns: [] }, buffer }] } as unknown as ScoringRequest;
}

let started = 0;
let ended = 0;
process.on('worker', (worker) => {
  started++;
  worker.on('exit', () => ended++);
});

afterEach(async () => {
  for (const pool of pools.splice(0)) await pool.close();
  // No test may leave a thread behind.
  expect(ended).toBe(started);
  started = 0;
  ended = 0;
});

describe('WorkerPool', () => {
  test('answers every row group with its own result, on no more threads than its size', async () => {
    const pool = poolOf(3);
    const results = await Promise.all(Array.from({ length: 50 }, (_, row) => pool.run(task('ok', row))));
    expect(results.map(({ rowCount }) => rowCount)).toEqual(Array.from({ length: 50 }, (_, row) => row));
    expect(started).toBeLessThanOrEqual(3);
  });

  test('starts no thread before there is work, and shares one copy of the model between threads', async () => {
    const pool = poolOf(2);
    expect(started).toBe(0);
    const result = (await pool.run(task('ok'))) as unknown as { model: Uint8Array };
    expect(result.model.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect([...result.model]).toEqual([1, 2, 3]);
  });

  test('a failed row group rejects with its code, message, place and stack; its thread goes on', async () => {
    const pool = poolOf(1);
    await expect(pool.run(task('fail'))).rejects.toMatchObject({
      code: 'SHARD_PAGE_CORRUPT',
      message: 'SHARD_PAGE_CORRUPT: asked for',
      location: { file: 'f' },
      stack: 'at worker',
    });
    await expect(pool.run(task('ok', 4))).resolves.toMatchObject({ rowCount: 4 });
    expect(started).toBe(1);
  });

  test.each(['exit', 'throw', 'close'])(
    'a thread that ends (%s) rejects its row group only, and is replaced',
    async (how) => {
      const pool = poolOf(1);
      const settled = await Promise.allSettled([
        pool.run(task('ok', 1)),
        pool.run(task(how, 2)),
        pool.run(task('ok', 3)),
        pool.run(task(how, 4)),
        pool.run(task('ok', 5)),
      ]);
      expect(settled.map(({ status }) => status)).toEqual([
        'fulfilled',
        'rejected',
        'fulfilled',
        'rejected',
        'fulfilled',
      ]);
      expect((settled[1] as PromiseRejectedResult).reason).toMatchObject({
        code: 'SCORING_WORKER_DIED',
        location: { file: how, rowGroup: 2 },
        found: how === 'throw' ? 'on its own' : 'an exit without an error',
      });
      expect(started).toBe(3);
    },
  );

  test('the other threads go on while one dies', async () => {
    const pool = poolOf(2);
    const slow = pool.run(task('slow', 1));
    await expect(pool.run(task('exit'))).rejects.toMatchObject({ code: 'SCORING_WORKER_DIED' });
    await expect(slow).resolves.toMatchObject({ rowCount: 1 });
  });

  test('a thread that retires gets no further row group', async () => {
    const pool = poolOf(1);
    const before = (await pool.run(task('ok'))) as unknown as { threadId: number };
    const retired = pool.run(task('retire'));
    const after = pool.run(task('ok', 9));
    await expect(retired).rejects.toMatchObject({ code: 'SHARD_PAGE_CORRUPT' });
    const { rowCount, threadId } = (await after) as unknown as { rowCount: number; threadId: number };
    expect(rowCount).toBe(9);
    expect(threadId).not.toBe(before.threadId);
  });

  test('a thread that ends while it is idle gets no further row group, and its place is free', async () => {
    const pool = poolOf(1);
    await expect(pool.run(task('last', 1))).resolves.toMatchObject({ rowCount: 1 });
    await vi.waitFor(() => expect(ended).toBe(1), { timeout: 5000 });
    await expect(pool.run(task('ok', 2))).resolves.toMatchObject({ rowCount: 2 });
  });

  test.each(['exit', 'last'])(
    'a thread that ends (%s) takes no idle one with it: the others go on beside its successor',
    async (how) => {
      const pool = poolOf(2);
      await Promise.all([pool.run(task('ok')), pool.run(task('ok'))]);
      // Its neighbour is idle when it ends; the one that ends idle has become so first.
      const neighbour = how === 'last' ? [pool.run(task('ok'))] : [];
      const [ending] = await Promise.allSettled([pool.run(task(how)), ...neighbour]);
      expect(ending!.status).toBe(how === 'last' ? 'fulfilled' : 'rejected');
      await vi.waitFor(() => expect(ended).toBe(1), { timeout: 5000 });
      const threadIds = async () => {
        const both = await Promise.all([pool.run(task('ok')), pool.run(task('ok'))]);
        return new Set(both.map((result) => (result as unknown as { threadId: number }).threadId));
      };
      expect((await threadIds()).size).toBe(2);
      expect(started).toBe(3);
    },
  );

  test.each([
    [1, 2],
    [2, 3],
    [3, 5],
    [6, 9],
  ])('with %i threads there is room for %i requests: one more for every two threads', (threads, most) => {
    const pool = poolOf(threads);
    while (pool.room.hasRoom) pool.room.hold();
    expect(pool.room.heldRequests).toBe(most);
  });

  test('reads the bytes of a request while the only thread is busy with another, and sends them with it', async () => {
    const pool = poolOf(1);
    const slow = pool.run(task('slow', 1));
    let isScored = false;
    void slow.then(() => {
      isScored = true;
    });
    const uri = join(folder, 'ahead');
    writeFileSync(uri, 'bytes');
    const { sizeBytes, version } = await localDisk.open(uri).then(async (file) => {
      await file.close();
      return file;
    });
    const ranges = [{ startByte: 1, endByte: 5, targetByte: 0 }];
    const reads = { rowGroup: 8, columns: [], ranges, bufferBytes: 4 };
    const request = { rowGroups: [{ span: 0, uri, sizeBytes, version, reads }] } as unknown as ScoringRequest;
    const readInTime: boolean[] = [];
    const { open } = localDisk;
    vi.spyOn(localDisk, 'open').mockImplementation(async (...args) => {
      readInTime.push(!isScored);
      return open(...args);
    });
    const result = (await pool.run(request)) as unknown as { rowCount: number; sent: Uint8Array };
    vi.restoreAllMocks();
    expect(readInTime).toEqual([true]);
    expect(result.rowCount).toBe(8);
    expect(Buffer.from(result.sent).toString()).toBe('ytes');
    await slow;
  });

  test('a thread gets ready while the bytes for it are read, and no more threads than there are requests', async () => {
    const pool = poolOf(3);
    const gone = { rowGroups: [{ uri: join(folder, 'gone'), reads: { bufferBytes: 1 } }] };
    await expect(pool.run(gone as unknown as ScoringRequest)).rejects.toThrow('STORAGE_NOT_FOUND');
    expect(started).toBe(1);
    await expect(pool.run(gone as unknown as ScoringRequest)).rejects.toThrow('STORAGE_NOT_FOUND');
    expect(started).toBe(1);
  });

  test('a request whose bytes are being read when the pool is closed is rejected', async () => {
    const pool = poolOf(1);
    const { open } = localDisk;
    let goOn = () => {};
    const held = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    vi.spyOn(localDisk, 'open').mockImplementation(async (...args) => {
      await held;
      return open(...args);
    });
    const uri = join(folder, 'closed');
    writeFileSync(uri, 'bytes');
    const file = await open(uri);
    await file.close();
    const reads = { rowGroup: 0, columns: [], ranges: [], bufferBytes: 0 };
    const place = { uri, sizeBytes: file.sizeBytes, version: file.version };
    const reading = pool.run({ rowGroups: [{ ...place, reads }] } as unknown as ScoringRequest);
    const refused = expect(reading).rejects.toMatchObject({ code: 'SCORING_POOL_CLOSED' });
    await pool.close();
    goOn();
    await refused;
    vi.restoreAllMocks();
  });

  test('a worker script that is missing or throws rejects every row group, and nothing hangs', async () => {
    const broken = join(folder, 'broken.mjs');
    writeFileSync(broken, 'throw new Error("no start");');
    for (const url of [pathToFileURL(join(folder, 'missing.mjs')), pathToFileURL(broken)]) {
      const pool = poolOf(2, url);
      const settled = await Promise.allSettled(
        Array.from({ length: 5 }, (_, row) => pool.run(task('ok', row))),
      );
      for (const result of settled) {
        expect((result as PromiseRejectedResult).reason).toMatchObject({ code: 'SCORING_WORKER_DIED' });
      }
    }
  });

  test('an answer that cannot be read rejects its row group, and the thread goes on', async () => {
    const pool = poolOf(1);
    const settled = await Promise.allSettled([pool.run(task('garbled', 3)), pool.run(task('ok', 4))]);
    expect(settled[0]).toMatchObject({
      reason: { code: 'SCORING_MESSAGE_LOST', location: { file: 'garbled', rowGroup: 3 } },
    });
    expect(settled[1]).toMatchObject({ value: { rowCount: 4 } });
    expect(started).toBe(1);
  });

  test('a request that cannot be sent is rejected, whether it waits or not, and takes no thread with it', async () => {
    const pool = poolOf(1);
    const unsendable = { ...task('ok'), decoded: () => {} } as unknown as ScoringRequest;
    const requests = [unsendable, task('ok', 1), unsendable, task('ok', 2)];
    const settled = await Promise.allSettled(requests.map((request) => pool.run(request)));
    expect(settled).toMatchObject([
      { reason: { code: 'SCORING_MESSAGE_LOST' } },
      { value: { rowCount: 1 } },
      { reason: { code: 'SCORING_MESSAGE_LOST' } },
      { value: { rowCount: 2 } },
    ]);
    expect(started).toBe(1);
  });

  test('a thread that cannot be started rejects all that wait for it', async () => {
    const pool = poolOf(1, new URL('https://nowhere.invalid/worker.mjs'));
    const settled = await Promise.allSettled([pool.run(task('ok')), pool.run(task('ok'))]);
    for (const result of settled) expect(result).toMatchObject({ reason: { code: 'SCORING_WORKER_DIED' } });
  });

  test('a thread that does not answer in time is given up: another one takes its place, and close does not wait for it', async () => {
    const pool = poolOf(1, obedient, 3000);
    await pool.run(task('ok'));
    const settled = await Promise.allSettled([pool.run(task('deaf', 1)), pool.run(task('ok', 2))]);
    expect(settled).toMatchObject([
      { reason: { code: 'SCORING_WORKER_SILENT', location: { file: 'deaf', rowGroup: 1 } } },
      { value: { rowCount: 2 } },
    ]);
    await pool.close();
    expect(ended).toBe(1);
    Atomics.store(gate, 0, 1);
    Atomics.notify(gate, 0);
    await vi.waitFor(() => expect(ended).toBe(2), { timeout: 5000 });
  });

  test('close lets running row groups finish, rejects waiting and later ones, and ends every thread', async () => {
    const pool = poolOf(1);
    const running = pool.run(task('slow', 5));
    const waiting = pool.run(task('ok'));
    const settled = Promise.allSettled([running, waiting]);
    await pool.close();
    expect(ended).toBe(started);
    const [finished, refused] = await settled;
    expect(finished).toMatchObject({ status: 'fulfilled', value: { rowCount: 5 } });
    expect(refused).toMatchObject({ status: 'rejected', reason: { code: 'SCORING_POOL_CLOSED' } });
    await expect(pool.run(task('ok'))).rejects.toMatchObject({ code: 'SCORING_POOL_CLOSED' });
    await pool.close();
  });

  test('close ends while a thread is dying', async () => {
    const pool = poolOf(2);
    const dying = [pool.run(task('exit')), pool.run(task('throw'))];
    const settled = Promise.allSettled(dying);
    await pool.close();
    for (const result of await settled) expect(result.status).toBe('rejected');
  });
});
