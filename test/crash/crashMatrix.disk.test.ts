import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { report, SHARE } from './budget.ts';
import { tryDeaths } from './crashMatrix.ts';
import { crashModels } from './crashModels.ts';
import { diskWorld } from './crashWorld.ts';
import { SCENARIOS } from './scenarios.ts';

// Thousands of attempts: their threads are started once.
vi.mock('../../lib/scoring/workerPool.ts', async (importOriginal) => {
  const { sharePools } = await import('./sharedPools.ts');
  return sharePools(await importOriginal<typeof import('../../lib/scoring/workerPool.ts')>());
});

const folder = temporaryFolder();
const models = crashModels(folder);

describe('a command that dies before or after any of its storage calls, on disk', () => {
  it.each(SCENARIOS.map((scenario, index) => ({ scenario, index, name: scenario.name })))(
    'leaves the old or the new state whole, ends as an undisturbed one when repeated, and leaks nothing: $name',
    async ({ scenario, index }) => {
      const tally = await tryDeaths(
        scenario,
        diskWorld(join(folder, `scenario-${index}`)),
        models(),
        SHARE,
        7 * index,
      );
      report(tally);
      expect(tally.failures).toEqual([]);
      expect(tally.cases).toBeGreaterThan(0);
    },
    3_600_000,
  );
});
