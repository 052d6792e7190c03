import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import type { S3Fault } from '../support/s3/s3Double.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';
import { report, SHARE } from './budget.ts';
import { crashModels } from './crashModels.ts';
import { diskWorld, s3World } from './crashWorld.ts';
import { RACES, tryRaces } from './races.ts';
import { readerState } from './readerState.ts';
import { publishRun, putInput, runPartition } from './scenarios.ts';

vi.mock('../../lib/scoring/workerPool.ts', async (importOriginal) => {
  const { sharePools } = await import('./sharedPools.ts');
  return sharePools(await importOriginal<typeof import('../../lib/scoring/workerPool.ts')>());
});

const s3 = testEndpoint();
const folder = temporaryFolder();
const CASES = SHARE === 1 ? 20 : 1;
const models = crashModels(folder);

describe.skipIf(process.env.NCS4CVR_TEST_S3_ENDPOINT !== undefined)('what meets in any order', () => {
  afterEach(() => {
    s3.double!.options = {};
  });

  describe.each([
    ['disk', (name: string) => diskWorld(join(folder, name))],
    ['S3', (name: string) => s3World(s3, name)],
  ])('on %s', (_, worldOf) => {
    it.each(RACES.map((race, index) => ({ race, index, name: race.name })))(
      'leaves readers a whole state, and ends as if nothing had met it: $name',
      async ({ race, index }) => {
        const tally = await tryRaces(
          race,
          worldOf(`race-${index}`),
          models(),
          new RandomStream(index),
          CASES,
        );
        report(tally);
        expect(tally.failures).toEqual([]);
      },
      3_600_000,
    );
  });

  it('a storm of slow-downs, resets and lost answers fails a run by a code at most, and the next ends as if there had been none', async () => {
    const tally = {
      name: 'a storm of 503s, resets and lost answers, S3',
      cases: 0,
      failures: [] as string[],
    };
    const world = s3World(s3, 'storm');
    await putInput(world);
    const fresh = { ...world, root: `${world.root}-fresh` };
    await publishRun(fresh, models().bundle);
    const restore = world.snapshot();
    const random = new RandomStream(503);
    const faults: readonly S3Fault[] = [
      { kind: 'status', status: 503, code: 'SlowDown' },
      { kind: 'lostAnswer' },
      { kind: 'reset' },
    ];
    for (let index = 0; index < CASES; index++) {
      restore();
      const share = [0.05, 0.2, 0.5, 0.9][index % 4]!;
      s3.double!.options = {
        fault: ({ key }) => {
          // The input stays readable: that it isn't, the matrix has tried.
          if (!key.includes('/scores/') || random.nextUniform() >= share) return undefined;
          return faults[random.nextBelow(faults.length)];
        },
      };
      const outcome = await runPartition(world, models().bundle).catch((error: unknown) => error);
      s3.double!.options = {};
      tally.cases++;
      try {
        if (outcome instanceof Error) expect(outcome).toMatchObject({ code: expect.any(String) });
        await readerState(world.root);
        await publishRun(world, models().bundle);
        expect((await readerState(world.root)).replaceAll(/"audit":"[^"]*"/g, '')).toBe(
          (await readerState(fresh.root)).replaceAll(/"audit":"[^"]*"/g, ''),
        );
      } catch (error) {
        tally.failures.push(`case ${index}, ${share}: ${error}`);
      }
    }
    report(tally);
    expect(tally.failures).toEqual([]);
  }, 3_600_000);
});
