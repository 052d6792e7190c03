import { describe, expect, it, vi } from 'vitest';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';
import { report, SHARE } from './budget.ts';
import { tryDeaths } from './crashMatrix.ts';
import { crashModels } from './crashModels.ts';
import { s3World } from './crashWorld.ts';
import { SCENARIOS } from './scenarios.ts';

// As on disk, in a file of its own: the two take place at a time.
vi.mock('../../lib/scoring/workerPool.ts', async (importOriginal) => {
  const { sharePools } = await import('./sharedPools.ts');
  return sharePools(await importOriginal<typeof import('../../lib/scoring/workerPool.ts')>());
});

const s3 = testEndpoint();
const models = crashModels(temporaryFolder());

describe.skipIf(process.env.NCS4CVR_TEST_S3_ENDPOINT !== undefined)(
  'a command that dies before or after any of its storage calls, on S3',
  () => {
    it.each(SCENARIOS.map((scenario, index) => ({ scenario, index, name: scenario.name })))(
      'leaves the old or the new state whole, ends as an undisturbed one when repeated, and leaks nothing: $name',
      async ({ scenario, index }) => {
        const tally = await tryDeaths(
          scenario,
          s3World(s3, `scenario-${index}`),
          models(),
          SHARE,
          7 * index + 2,
        );
        report(tally);
        expect(tally.failures).toEqual([]);
        expect(tally.cases).toBeGreaterThan(0);
      },
      3_600_000,
    );
  },
);
