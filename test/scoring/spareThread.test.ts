import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeAll, expect, it, vi } from 'vitest';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { scoreShard } from '../../lib/scoring/scoreShard.ts';
import { keepSpareThread, takeSpareThread } from '../../lib/scoring/spareThread.ts';
import { workerEntry } from '../../lib/scoring/workerEntry.ts';
import { scoringPool } from '../../lib/scoring/workerPool.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

// Threads of their own (test/support/threads/reusedThreads.ts).
vi.unmock('node:worker_threads');

const folder = temporaryFolder();
let bundle: ModelBundle;
let shard: string;
beforeAll(async () => {
  const model = await trainTinyModel(join(folder, 'model'));
  bundle = model.bundle;
  shard = join(model.dataUri, 'dt=2024-03-03/part-0.parquet');
});
afterEach(() => {
  takeSpareThread()?.postMessage(null);
});

it('a thread that was started before its model is known scores for the pool that comes next', async () => {
  const scores = async (name: string) => {
    const pool = scoringPool(bundle, 1);
    const { rowCount } = await scoreShard(shard, join(folder, name), bundle, pool);
    await pool.close();
    return rowCount;
  };
  const rows = await scores('own.arrow');
  keepSpareThread(new Worker(workerEntry()));
  expect(await scores('spare.arrow')).toBe(rows);
  // The pool has taken it.
  expect(takeSpareThread()).toBeUndefined();
});

it('is taken once', async () => {
  const started = new Worker(workerEntry());
  keepSpareThread(started);
  expect(takeSpareThread()).toBe(started);
  expect(takeSpareThread()).toBeUndefined();
  started.postMessage(null);
});

it('that fails before it is needed is forgotten, and fails nothing else', async () => {
  const failing = new Worker("throw new Error('no memory')", { eval: true });
  keepSpareThread(failing);
  await new Promise((resolve) => failing.once('exit', resolve));
  expect(takeSpareThread()).toBeUndefined();
});

it('that has ended when it is taken, unheard so far, is replaced', async () => {
  const ending = new Worker('', { eval: true });
  keepSpareThread(ending);
  // This thread hears nothing of that end before the pool has the other one.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1500);
  const pool = scoringPool(bundle, 1);
  expect((await scoreShard(shard, join(folder, 'late.arrow'), bundle, pool)).rowCount).toBeGreaterThan(0);
  await pool.close();
});
