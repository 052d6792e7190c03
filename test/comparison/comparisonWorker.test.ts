import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { compiledSibling } from '../../lib/base/workerThread.ts';
import { readRunRecord } from '../../lib/comparison/runFolder.ts';
import type { WorkerAnswer, WorkerOrder } from '../../lib/comparison/runInProcesses.ts';
import { writeTinyFunnel } from '../fixtures/tinyFunnel.ts';
import { type ConfigDocument, THREE_SIDES, TINY_CONFIG } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

// The compiled process, alone.
const script = compiledSibling(
  new URL('../../lib/comparison/runInProcesses.ts', import.meta.url).href,
  'comparisonWorker.js',
);
const folder = temporaryFolder();
const data = writeTinyFunnel(join(folder, 'data'), { rowsPerDay: 300 });
const configOf = (epochs: number): ConfigDocument => ({
  ...TINY_CONFIG,
  split: THREE_SIDES,
  training: { ...(TINY_CONFIG.training as object), epochs },
});
const run = { arm: 'shared-bottom', seed: 2 };
const workers: ChildProcess[] = [];
afterEach(() => {
  for (const worker of workers.splice(0)) worker.kill();
});

function start() {
  const worker = fork(script);
  workers.push(worker);
  const order = async (what: WorkerOrder): Promise<WorkerAnswer> => {
    const answer = once(worker, 'message');
    worker.send(what);
    const [message] = await answer;
    return message as WorkerAnswer;
  };
  return { worker, order };
}

it('prepares, does the run that it is told to do, and says how long it took', async () => {
  const { order } = start();
  const output = join(folder, 'one');
  expect(await order({ kind: 'prepare', config: configOf(1), data, output })).toEqual({ kind: 'ready' });
  const startMillis = performance.now();
  const answer = await order({ kind: 'run', run });
  expect(answer).toEqual({ kind: 'done', run, seconds: expect.any(Number) });
  const { seconds } = answer as WorkerAnswer & { kind: 'done' };
  expect(seconds).toBeGreaterThan(0);
  expect(seconds).toBeLessThanOrEqual((performance.now() - startMillis) / 1000);
  const record = (await readRunRecord(output, run.arm, run.seed))!;
  expect(record).toMatchObject(run);
  expect(record.trainingSeconds).toBeLessThanOrEqual(seconds);
});

it('tells of what failed, with its code, and takes further orders', async () => {
  const { order } = start();
  const output = join(folder, 'failed');
  const bad = await order({ kind: 'prepare', config: { ...configOf(1), network: 'what' }, data, output });
  expect(bad).toMatchObject({ kind: 'failed', error: { code: 'TRAINING_CONFIG_INVALID' } });
  const nowhere = await order({ kind: 'prepare', config: configOf(1), data: join(folder, 'none'), output });
  expect(nowhere).toMatchObject({ kind: 'failed', error: { code: 'STORAGE_NOT_FOUND' } });
  expect(await order({ kind: 'prepare', config: configOf(1), data, output })).toEqual({ kind: 'ready' });
});

it('ends in the middle of a run when nobody waits for it any more', async () => {
  const { worker, order } = start();
  const output = join(folder, 'orphan');
  // Left alone it would train to the end and leave a record.
  await order({ kind: 'prepare', config: configOf(50), data, output });
  const exit = once(worker, 'exit');
  worker.send({ kind: 'run', run } satisfies WorkerOrder, () => worker.disconnect());
  expect(await exit).toEqual([0, null]);
  expect(await readRunRecord(output, run.arm, run.seed)).toBeUndefined();
});
