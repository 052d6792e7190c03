import { join } from 'node:path';
import { afterEach, beforeAll, expect, it } from 'vitest';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { scoreShard } from '../../lib/scoring/scoreShard.ts';
import { startSpareThread, takeSpareThread } from '../../lib/scoring/spareThread.ts';
import { scoringPool } from '../../lib/scoring/workerPool.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

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
  startSpareThread();
  expect(await scores('spare.arrow')).toBe(rows);
  // The pool has taken it.
  expect(takeSpareThread()).toBeUndefined();
});

it('is one, however often it is asked for; the next one is another', async () => {
  startSpareThread();
  startSpareThread();
  const thread = takeSpareThread()!;
  expect(takeSpareThread()).toBeUndefined();
  thread.postMessage(null);
  startSpareThread();
  const next = takeSpareThread()!;
  expect(next.threadId).not.toBe(thread.threadId);
  next.postMessage(null);
});
