import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { Attempt, watchStorage } from './attempt.ts';
import { report, SHARE } from './budget.ts';
import { differencesOf } from './crashMatrix.ts';
import { diskWorld } from './crashWorld.ts';
import { readerState } from './readerState.ts';
import { type CrashModels, publishRun, putInput, runPartition } from './scenarios.ts';

/** What a scoring thread's heap may hold: everything by default; and how many threads are still to be ended. */
const fate = vi.hoisted(() => ({ megabytes: undefined as number | undefined, deaths: 0 }));
vi.mock('node:worker_threads', async (importOriginal) => {
  const real = await importOriginal<typeof import('node:worker_threads')>();
  class LimitedWorker extends real.Worker {
    #hasAnswered = false;

    constructor(url: URL, options: ConstructorParameters<typeof Worker>[1]) {
      const limits =
        fate.megabytes === undefined ? {} : { resourceLimits: { maxOldGenerationSizeMb: fate.megabytes } };
      super(url, { ...options, ...limits });
      this.once('message', () => {
        this.#hasAnswered = true;
      });
    }

    override postMessage(...args: Parameters<Worker['postMessage']>): void {
      // The pool has sent the request, and the thread, which has answered the one before, never gets to it: ended within a session's
      // run, or while a session is made, it takes the whole process along (`Napi::Error`), which is a death of its own kind.
      if (fate.deaths > 0 && this.#hasAnswered) {
        fate.deaths--;
        void this.terminate();
      }
      super.postMessage(...args);
    }
  }
  return { ...real, Worker: LimitedWorker };
});

const folder = temporaryFolder();
const world = diskWorld(folder);
let models: CrashModels;
let restore: () => void;
let undo: () => void;
let expected: ReadonlyMap<string, string>;

beforeAll(async () => {
  const { bundle } = await trainTinyModel(join(folder, 'model'));
  models = { bundle, other: bundle };
  undo = watchStorage();
  await putInput(world);
  restore = world.snapshot();
  await publishRun(world, bundle);
  expected = world.listing();
}, 120_000);
afterAll(() => undo());

/** A run that may fail by a thread's death, and by nothing else; the next one ends as if there had been none. */
async function runWithDeaths(attempt: Attempt): Promise<boolean> {
  const ended = await attempt.run(() => runPartition(world, models.bundle));
  Object.assign(fate, { megabytes: undefined, deaths: 0 });
  const hasFailed = 'error' in ended;
  if (hasFailed) expect(ended.error).toMatchObject({ code: 'SCORING_WORKER_DIED' });
  await readerState(world.root);
  await publishRun(world, models.bundle);
  expect(differencesOf(expected, world.listing())).toEqual([]);
  return hasFailed;
}

describe('scoring threads that end within a run', () => {
  it('because somebody ends them fail it by name at most', async () => {
    const random = new RandomStream(4);
    const tally = { name: 'death of scoring threads, disk', cases: 0, failures: [] as string[] };
    let failed = 0;
    for (let index = 0; index < (SHARE === 1 ? 24 : 4); index++) {
      restore();
      const at = random.nextBelow(40);
      const onCarriedOut = (_name: string, _uri: string, call: number) => {
        if (call === at) fate.deaths = 1 + random.nextBelow(2);
      };
      failed += Number(await runWithDeaths(new Attempt({ onCarriedOut })));
      tally.cases++;
    }
    report(tally);
    // Or they would have ended between requests only.
    expect(failed).toBeGreaterThan(0);
  }, 600_000);

  it('because their memory is used up fail it by name', async () => {
    const tally = { name: 'scoring threads without memory, disk', cases: 0, failures: [] as string[] };
    const sizes = SHARE === 1 ? [4, 5, 6, 7, 8, 9, 10, 12] : [6];
    let failed = 0;
    for (const megabytes of sizes) {
      restore();
      fate.megabytes = megabytes;
      failed += Number(await runWithDeaths(new Attempt()));
      tally.cases++;
    }
    report(tally);
    expect(failed).toBeGreaterThan(0);
  }, 600_000);
});
