import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { loadBundle } from '../../lib/bundle/loadBundle.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { withVersion } from '../channels/channelUnderTest.ts';
import { mainScript, runMain } from '../cli/runMain.ts';
import { GATES_OFF_DOCUMENT } from '../fixtures/gatesOff.ts';
import { funnelRows } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { report, SHARE } from './budget.ts';
import { differencesOf } from './crashMatrix.ts';
import { type CrashWorld, diskWorld } from './crashWorld.ts';
import { readerState } from './readerState.ts';
import {
  blockedNight,
  type CrashModels,
  channelState,
  collect,
  garbage,
  PARTITION,
  put,
  putInput,
  runBlocked,
} from './scenarios.ts';

// The built program in processes of its own, which the system ends without a word.
const folder = temporaryFolder();
const preload = new URL('./killAtCall.mjs', import.meta.url).href;
const countFile = join(folder, 'count');
const SEED = 15;
let models: CrashModels;

beforeAll(async () => {
  const { bundle, bundleUri } = await trainTinyModel(join(folder, 'model'));
  models = { bundle, other: await loadBundle(localDisk, withVersion(bundleUri, 'tiny-2')) };
}, 120_000);

function start(args: readonly string[], kill: string): ChildProcess {
  return spawn(process.execPath, ['--import', preload, mainScript, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, NCS4CVR_KILL: kill, NCS4CVR_KILL_COUNT: countFile },
  });
}

/** @returns the signal that has ended it, if one has */
async function ended(child: ChildProcess): Promise<string | undefined> {
  let told = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    told += text;
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  if (code !== null && code !== 0) throw new Error(`the program ended with code ${code}: ${told}`);
  return signal ?? undefined;
}

const planFile = join(folder, 'plan.json');

async function command(...args: readonly string[]): Promise<void> {
  const { exitCode, stdout, stderr } = await runMain(...args);
  if (exitCode !== 0) throw new Error(`exit ${exitCode}: ${stdout}${stderr}`);
}

/** Writes the job, and plans what is there. */
async function planned(world: CrashWorld): Promise<void> {
  await command(...planArgs(world, planFile));
}

function planArgs(world: CrashWorld, output: string): string[] {
  const job = join(folder, 'job.json');
  const { uri } = models.bundle;
  const document = { input: world.inputUri, scores: world.root, model: uri, targetRows: 100 };
  writeFileSync(job, JSON.stringify({ ...document, gates: GATES_OFF_DOCUMENT }));
  return ['plan', '--job', job, '--partition', PARTITION, '--output', output];
}

const runArgs = ['run', '--plan', planFile, '--workers', '1'];

async function publishedOnce(world: CrashWorld): Promise<void> {
  await putInput(world);
  await planned(world);
  await command(...runArgs);
}

/** All that is below the root becomes so many days old. */
function age({ root }: CrashWorld, days: number): void {
  const seconds = Date.now() / 1000 - days * 86_400;
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) utimesSync(join(entry.parentPath, entry.name), seconds, seconds);
  }
}

const gcArgs = ({ root }: CrashWorld) => ['gc', '--scores', root, '--days', '3', '--apply'];

interface KilledCommand {
  readonly name: string;
  readonly kills: number;
  readonly prepare: (world: CrashWorld) => Promise<unknown>;
  readonly args: (world: CrashWorld) => readonly string[];
  readonly state?: (root: string) => Promise<string>;
  /** Documents that hold the time, or the name of one that does: `state` tells whether they are right. */
  readonly timed?: RegExp;
}

const COMMANDS: readonly KilledCommand[] = [
  {
    name: 'plan',
    kills: 14,
    prepare: async (world) => {
      await publishedOnce(world);
      await put(world, 's1.parquet', funnelRows('2024-06-01', 40));
    },
    args: (world) => planArgs(world, join(world.root, 'plans', 'tonight.json')),
  },
  {
    name: 'run, for the first time',
    kills: 40,
    prepare: async (world) => {
      await putInput(world);
      await planned(world);
    },
    args: () => runArgs,
  },
  {
    name: 'run, after a shard was replaced',
    kills: 30,
    prepare: async (world) => {
      await publishedOnce(world);
      await put(world, 's1.parquet', funnelRows('2024-06-01', 40));
      await planned(world);
    },
    args: () => runArgs,
  },
  {
    name: 'rollback',
    kills: 12,
    prepare: async (world) => {
      await publishedOnce(world);
      await put(world, 's1.parquet', funnelRows('2024-06-01', 40));
      await planned(world);
      await command(...runArgs);
    },
    args: ({ root }) => ['rollback', '--scores', root, '--partition', PARTITION, '--reason', 'wrong ids'],
  },
  {
    name: 'release',
    kills: 14,
    prepare: async (world) => {
      await blockedNight(world, models);
      await runBlocked(world, models);
    },
    args: ({ root }) => [
      'release',
      '--scores',
      root,
      '--partition',
      PARTITION,
      '--override',
      'known',
      '--by',
      'ada',
    ],
    // Of its audit document.
    state: async (root) => (await readerState(root)).replace(/"audit": "[^"]*"/g, ''),
    timed: /^(pointers|audits)\//,
  },
  {
    name: 'gc, condemning',
    kills: 14,
    prepare: async (world) => {
      await garbage(world, models);
      age(world, 30);
    },
    args: gcArgs,
  },
  {
    name: 'gc, deleting',
    kills: 20,
    prepare: async (world) => {
      await garbage(world, models);
      await collect(world.root, 4);
      age(world, 30);
    },
    args: gcArgs,
  },
  {
    name: 'promote',
    kills: 14,
    prepare: ({ root }) => command('promote', models.bundle.uri, '--models', root, '--channel', 'live'),
    args: ({ root }) => ['promote', models.other.uri, '--models', root, '--channel', 'live'],
    state: async (root) => (await channelState(root)).replace(/"promotedAt":"[^"]*"/g, ''),
    timed: /^channels\//,
  },
];

describe('a real process that is killed', () => {
  // A process takes long to start: with the other tests, only one that publishes and one that deletes are killed.
  it.each(COMMANDS.filter(({ name }) => SHARE === 1 || /^(run, for|gc, del)/.test(name)))(
    'leaves the old or the new state whole, ends as an undisturbed one when repeated, and leaks nothing: $name',
    async ({ name, kills, prepare, args, state: stateOf = readerState, timed }) => {
      const isTimed = (path: string) => timed?.test(path) ?? false;
      const countTimed = (listing: ReadonlyMap<string, string>) => [...listing.keys()].filter(isTimed).length;
      const random = new RandomStream(SEED);
      const world = diskWorld(join(folder, name.replace(/\W+/g, '-')));
      const state = () => stateOf(world.root);
      const collectAll = async () => {
        for (let call = 0; call < 2; call++) await collect(world.root, 60);
      };
      await prepare(world);
      const restore = world.snapshot();
      const before = await state();
      const startMillis = performance.now();
      expect(await ended(start(args(world), 'never'))).toBeUndefined();
      const wholeMillis = performance.now() - startMillis;
      const calls = Number(readFileSync(countFile, 'utf8'));
      const after = await state();
      await collectAll();
      const expected = world.listing();
      const tally = { name: `SIGKILL of ${name}`, cases: 0, failures: [] as string[] };
      for (let kill = 0; kill < kills; kill += SHARE === 1 ? 1 : 20) {
        restore();
        const call = Math.floor(((kill + random.nextUniform()) * calls) / kills);
        // Every fourth at any time, in the middle of a system call perhaps.
        const isTimedKill = kill % 4 === 3;
        const when = isTimedKill ? 'never' : `${kill % 2 === 0 ? 'before' : 'after'} ${call}`;
        const child = start(args(world), when);
        if (isTimedKill) {
          const exited = ended(child);
          await Promise.race([exited, sleep(wholeMillis * (0.3 + 0.7 * random.nextUniform()))]);
          child.kill('SIGKILL');
          if ((await exited) !== 'SIGKILL') continue;
        } else if ((await ended(child)) !== 'SIGKILL') {
          // Concurrent calls may be a few less.
          continue;
        }
        tally.cases++;
        const problem = await findProblem().catch((error: unknown) => String(error));
        if (problem !== undefined) tally.failures.push(`${when}: ${problem}`);
      }
      report(tally);
      expect(tally.failures).toEqual([]);
      expect(tally.cases).toBeGreaterThan(0);

      async function findProblem(): Promise<string | undefined> {
        const left = await state();
        if (left !== before && left !== after) return `neither the old nor the new state: ${left}`;
        await ended(start(args(world), 'never'));
        if ((await state()) !== after) return `repeated, it ends in another state: ${await state()}`;
        await collectAll();
        const listing = world.listing();
        const differences = differencesOf(expected, listing).filter((path) => !isTimed(path));
        if (countTimed(listing) !== countTimed(expected)) differences.push('the number of timed documents');
        return differences.length === 0 ? undefined : `not as undisturbed: ${differences.join(', ')}`;
      }
    },
    1_800_000,
  );
});

it('the built program is there: npm run build', () => {
  expect(existsSync(mainScript)).toBe(true);
});
