import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../lib/base/retry.ts';
import { loadBundle } from '../../lib/bundle/loadBundle.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { withVersion } from '../channels/channelUnderTest.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';
import { watchStorage } from './attempt.ts';
import { report, SHARE } from './budget.ts';
import { tryDeaths } from './crashMatrix.ts';
import { diskWorld, s3World } from './crashWorld.ts';
import { type CrashModels, SCENARIOS } from './scenarios.ts';
import { closeSharedPools } from './sharedPools.ts';

// Thousands of attempts: their threads are started once.
vi.mock('../../lib/scoring/workerPool.ts', async (importOriginal) => {
  const { sharePools } = await import('./sharedPools.ts');
  return sharePools(await importOriginal<typeof import('../../lib/scoring/workerPool.ts')>());
});

const s3 = testEndpoint();
const folder = temporaryFolder();
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

describe.skipIf(process.env.NCS4CVR_TEST_S3_ENDPOINT !== undefined)(
  'a command that dies before or after any of its storage calls',
  () => {
    describe.each([
      ['disk', (name: string) => diskWorld(join(folder, name))],
      ['S3', (name: string) => s3World(s3, name)],
    ])('on %s', (kind, worldOf) => {
      it.each(SCENARIOS.map((scenario, index) => ({ scenario, index, name: scenario.name })))(
        'leaves the old or the new state whole, ends as an undisturbed one when repeated, and leaks nothing: $name',
        async ({ scenario, index }) => {
          const world = worldOf(`scenario-${index}`);
          const tally = await tryDeaths(scenario, world, models, SHARE, 7 * index + kind.length);
          report(tally);
          expect(tally.failures).toEqual([]);
          expect(tally.cases).toBeGreaterThan(0);
        },
        3_600_000,
      );
    });
  },
);
