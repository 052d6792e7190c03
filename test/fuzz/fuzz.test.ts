import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { bundleTarget } from './bundleTarget.ts';
import { documentTarget } from './documentTarget.ts';
import { Tally, tryCase } from './runCases.ts';
import { shardTarget } from './shardTarget.ts';

const folder = temporaryFolder();
/** Other cases than those that were looked at while the code was written. */
const SEED = 20_260_101;
/** Beside what making the whole shards and bundles takes. */
const BUDGET_MILLIS = 6_000;

describe('of what is damaged at random, each is refused by a code and by name, or read right', () => {
  it.each([
    { target: shardTarget, most: 300, least: 60 },
    { target: documentTarget, most: 400, least: 60 },
    { target: bundleTarget, most: 60, least: 10 },
  ])('$target.name, within limits of time and memory', async ({ target, most, least }) => {
    mkdirSync(join(folder, target.name));
    const caseOf = await target.prepare(join(folder, target.name), SEED);
    const tally = new Tally();
    const endMillis = performance.now() + BUDGET_MILLIS;
    for (let index = 0; index < most; index++) {
      if (index >= least && performance.now() > endMillis) break;
      tally.add(await tryCase(caseOf, index));
    }
    expect(tally.failures, tally.text).toEqual([]);
    expect([...tally.refused.values()].reduce((sum, n) => sum + n)).toBeGreaterThan(tally.tried / 3);
  });
});
