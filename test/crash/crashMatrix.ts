import { Ncs4cvrError } from '../../lib/base/errors.ts';
import { Attempt } from './attempt.ts';
import type { CrashWorld } from './crashWorld.ts';
import { type CrashModels, collect, type Scenario } from './scenarios.ts';

/** What became of a scenario's cases. */
export interface Tally {
  readonly name: string;
  /** Storage calls of the command. */
  calls: number;
  cases: number;
  readonly failures: string[];
}

/** Stays, small, whoever has written it: manifests, what was read of footers, and a note of what a gate has blocked. */
const KEPT = /^(manifests|shapes|blocked)\//;

/**
 * Lets a command die before and after each of its storage calls, each time from the same state, and looks what is left.
 * @param share one case of so many is tried, from number `offset` on
 */
export async function tryDeaths(
  scenario: Scenario,
  world: CrashWorld,
  models: CrashModels,
  share = 1,
  offset = 0,
): Promise<Tally> {
  const { root } = world;
  const state = () => scenario.state(root);
  const act = () => scenario.act(world, models);
  const collectAll = async () => {
    for (let call = 0; call < 2; call++) await collect(root, 20).catch(onlyNoRoot);
  };
  await scenario.prepare(world, models);
  const restore = world.snapshot();
  const before = await state();
  const undisturbed = new Attempt();
  const ended = await undisturbed.run(act);
  if ('error' in ended) throw ended.error;
  const after = await state();
  await act();
  if ((await state()) !== after) throw new Error(`${scenario.name}: repeated, it ends in another state`);
  await collectAll();
  const expected = world.listing();
  restore();
  await collectAll();
  const untouched = world.listing();

  const tally: Tally = {
    name: `${scenario.name}, ${world.name}`,
    calls: undisturbed.calls,
    cases: 0,
    failures: [],
  };
  const total = 2 * undisturbed.calls;
  for (let index = offset % Math.min(share, total); index < total; index += share) {
    const when = index % 2 === 0 ? 'before' : 'after';
    const dieAt = Math.floor(index / 2);
    restore();
    const attempt = new Attempt({ dieAt, when });
    await attempt.run(act);
    // Concurrent calls come in any order, and may be a few less.
    if (!attempt.isDead) continue;
    tally.cases++;
    const problem = await findProblem().catch((error: unknown) => String(error));
    if (problem !== undefined) tally.failures.push(`${when} call ${dieAt}: ${problem}`);

    async function findProblem(): Promise<string | undefined> {
      const left = await state();
      if (left !== before && left !== after) return `readers see neither the old nor the new state: ${left}`;
      if (scenario.mayCollect && dieAt % 2 === 0) {
        await collectAll();
        const leaked = [...world.listing().keys()].filter(
          (path) => !expected.has(path) && !untouched.has(path) && !KEPT.test(path),
        );
        if (leaked.length > 0) return `left for good: ${leaked.join(', ')}`;
        if ((await state()) !== left) return 'collecting garbage changed what readers see';
      }
      await act();
      if ((await state()) !== after) return `repeated, it ends in another state: ${await state()}`;
      await collectAll();
      const differences = differencesOf(expected, world.listing());
      return differences.length === 0 ? undefined : `not as undisturbed: ${differences.join(', ')}`;
    }
  }
  return tally;
}

/** Who died before the first write has left nothing, on S3 not even a folder. */
function onlyNoRoot(error: unknown): void {
  if (!(error instanceof Ncs4cvrError) || error.code !== 'PUBLISH_NO_ROOT') throw error;
}

export function differencesOf(
  expected: ReadonlyMap<string, string>,
  found: ReadonlyMap<string, string>,
): string[] {
  const names = new Set([...expected.keys(), ...found.keys()]);
  return [...names].filter((name) => expected.get(name) !== found.get(name));
}
