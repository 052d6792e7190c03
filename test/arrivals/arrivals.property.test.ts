import fc from 'fast-check';
import { expect, it, vi } from 'vitest';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { storageFor } from '../../lib/storage/openStorage.ts';
import type { Storage } from '../../lib/storage/storage.ts';
import { ArrivalWorld } from './arrivalWorld.ts';

// Notices, runs and finishes that race and are killed anywhere, in orders drawn at random.
vi.mock('../../lib/storage/openStorage.ts');

/** Drawn anew each time; what fails is printed with it. `NCS4CVR_SEED` tries one again. */
const SEED = Number(process.env.NCS4CVR_SEED ?? Date.now() % 2 ** 31);

const cases = fc.record({
  seed: fc.nat(),
  /** How many notices, and in how many waves. */
  notices: fc.integer({ min: 1, max: 12 }),
  waves: fc.integer({ min: 1, max: 3 }),
  deathPercent: fc.constantFrom(0, 2, 20),
});

it('every notice is followed by a plan that begins after it, and one run at a time is at work', async () => {
  await fc.assert(
    fc.asyncProperty(cases, async ({ seed, notices, waves, deathPercent }) => {
      const world = new ArrivalWorld(new RandomStream(seed), deathPercent / 100);
      vi.mocked(storageFor).mockReturnValue(world.storage as unknown as Storage);
      const begun: number[] = [];
      for (let wave = 0; wave < waves; wave++) {
        const wanted = Array.from({ length: notices }, async () => begun.push(await world.notice()));
        await world.settle(...wanted);
      }
      expect(begun).toHaveLength(notices * waves);
      expect(Math.max(...world.plans)).toBeGreaterThan(Math.max(...begun));
      expect(world.mostAtOnce).toBe(1);
      // Nothing is owed and nothing runs: the next notice would start at once.
      expect(world.document).toMatchObject({ isRunning: false, isPending: false });
      expect(world.runs.map(({ round }) => round)).toEqual(world.runs.map((_, index) => index + 1));
      // No run is for nobody: some notice has begun since the round before was written. Who dies may begin twice.
      if (deathPercent > 0) return;
      for (const [index, turn] of world.written.entries()) {
        const since = world.written[index - 1] ?? 0;
        expect(begun.some((notice) => notice >= since && notice < turn)).toBe(true);
      }
    }),
    { numRuns: 400, seed: SEED },
  );
});
