import { join } from 'node:path';
import { afterAll, beforeAll, vi } from 'vitest';
import { systemClock } from '../../lib/base/retry.ts';
import { loadBundle } from '../../lib/bundle/loadBundle.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { withVersion } from '../channels/channelUnderTest.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { watchStorage } from './attempt.ts';
import type { CrashModels } from './scenarios.ts';
import { closeSharedPools } from './sharedPools.ts';

/**
 * Has two models trained before a file's tests, its storage calls watched, and no pause slept; ends the pools after them. The
 * file mocks workerPool.ts by `sharePools` itself.
 * @param folder for the models
 * @returns the models, once the tests run
 */
export function crashModels(folder: string): () => CrashModels {
  let models: CrashModels;
  let undo: () => void;
  beforeAll(async () => {
    const { bundle, bundleUri } = await trainTinyModel(join(folder, 'model'));
    models = { bundle, other: await loadBundle(localDisk, withVersion(bundleUri, 'tiny-2')) };
    vi.spyOn(systemClock, 'sleep').mockResolvedValue();
    undo = watchStorage();
  }, 120_000);
  afterAll(async () => {
    undo();
    vi.restoreAllMocks();
    await closeSharedPools();
  });
  return () => models;
}
