import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readConfigDocument } from '../../lib/cli/trainCommand.ts';
import { readPrices } from '../../lib/estimate/readPrices.ts';
import type { FeatureContract } from '../../lib/features/contract.ts';
import { readJob } from '../../lib/job/readJob.ts';
import { readOwnModelConfig } from '../../lib/ownModel/ownModelConfig.ts';
import { readOwnContract } from '../../lib/ownModel/readOwnContract.ts';
import { readRunPlan } from '../../lib/publish/runPlan.ts';
import { temporaryFolder } from './temporaryFolder.ts';

const folder = temporaryFolder();
const NO_CONTRACT = {} as FeatureContract;

describe('a document that is not there', () => {
  it.each([
    ['training config', readConfigDocument],
    ['job', readJob],
    ['contract', readOwnContract],
    ['own model', (uri) => readOwnModelConfig(uri, NO_CONTRACT)],
    ['plan', readRunPlan],
    ['prices', readPrices],
  ] as [string, (uri: string) => Promise<unknown>][])(
    'is taken for the one with or without comments in its name: %s',
    async (name, read) => {
      const base = join(folder, name);
      mkdirSync(base);
      for (const [asked, there] of [
        ['a.json', 'a.jsonc'],
        ['b.jsonc', 'b.json'],
      ] as const) {
        const uri = join(base, asked);
        await expect(read(uri)).rejects.toMatchObject({
          code: 'STORAGE_NOT_FOUND',
          location: { file: uri },
          message: expect.not.stringContaining('did you mean'),
        });
        writeFileSync(join(base, there), '{}');
        await expect(read(uri)).rejects.toMatchObject({
          code: 'STORAGE_NOT_FOUND',
          location: { file: uri },
          message: expect.stringContaining(`did you mean ${join(base, there)}?`),
        });
      }
    },
  );
});
