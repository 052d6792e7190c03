import { DAY_MILLIS } from '../../lib/base/calendarDay.ts';
import { decodeJson } from '../../lib/base/jsonDocument.ts';
import { installBundle } from '../../lib/bundle/installBundle.ts';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { bundlesUri, readChannel } from '../../lib/channels/channelDocument.ts';
import { promoteBundle, rollBackChannel } from '../../lib/channels/promote.ts';
import { resolveModel } from '../../lib/channels/resolveModel.ts';
import { DEFAULT_GATES } from '../../lib/job/gateSettings.ts';
import { announce } from '../../lib/publish/announce.ts';
import { collectGarbage } from '../../lib/publish/collectGarbage.ts';
import { executePlan } from '../../lib/publish/executePlan.ts';
import { makeRunPlan } from '../../lib/publish/makeRunPlan.ts';
import { modelIdentity } from '../../lib/publish/modelIdentity.ts';
import { type PartitionRun, PLAN_FORMAT_VERSION, type RunSettings } from '../../lib/publish/partitionRun.ts';
import { planPartition } from '../../lib/publish/planPartition.ts';
import { readPointer } from '../../lib/publish/pointer.ts';
import { type PublishOutcome, publishPartition } from '../../lib/publish/publishPartition.ts';
import { releasePartition } from '../../lib/publish/releasePartition.ts';
import { rollBack } from '../../lib/publish/rollBack.ts';
import { scoreUnit } from '../../lib/publish/scoreUnit.ts';
import type { WorkUnit } from '../../lib/publish/workUnit.ts';
import { scoringPool } from '../../lib/scoring/workerPool.ts';
import { storageFor, writeWhole } from '../../lib/storage/openStorage.ts';
import { joinUri } from '../../lib/storage/uri.ts';
import { GATES_OFF, NOTHING_EARLIER } from '../fixtures/gatesOff.ts';
import { type FunnelRow, funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import type { CrashWorld } from './crashWorld.ts';
import { readerState } from './readerState.ts';

/** The same at every attempt, as of an operator who repeats a command. */
export const OVERRIDE = { reason: 'known', by: 'ada', at: '2024-03-09T08:00:00.000Z' };

export const PARTITION = 'dt=2024-03-09';
const YESTERDAY = 'dt=2024-03-08';
const TARGET_ROWS = 100;
/** Of promotions, whose documents hold it. */
const NOW = Date.parse('2026-01-02T03:04:05Z');

/** Two bundles on disk that differ in their version. */
export interface CrashModels {
  readonly bundle: ModelBundle;
  readonly other: ModelBundle;
}

/** A command that is disturbed, and what is there before. */
export interface Scenario {
  readonly name: string;
  /** Makes the state before, and the input as the command finds it. */
  prepare(world: CrashWorld, models: CrashModels): Promise<void>;
  /** The command. Rejects unless it ends as it is to end. */
  act(world: CrashWorld, models: CrashModels): Promise<unknown>;
  /** What readers see. Rejects when that isn't whole. */
  readonly state: (root: string) => Promise<string>;
  /** Whether garbage may be collected between a death and the next attempt: not where an attempt relies on an earlier one's work. */
  readonly mayCollect: boolean;
}

const inputOf = (world: CrashWorld, partition = PARTITION) => joinUri(world.inputUri, partition);

const settingsOf = (
  { root }: CrashWorld,
  bundle: ModelBundle,
  over: Partial<RunSettings> = {},
): RunSettings => ({
  modelUri: bundle.uri,
  model: modelIdentity(bundle),
  root,
  targetRows: TARGET_ROWS,
  toleratedBrokenShards: 1,
  gates: GATES_OFF,
  jobDigest: 'job',
  liftHold: false,
  ...over,
});

export const put = (world: CrashWorld, name: string, rows: readonly FunnelRow[], partition = PARTITION) =>
  writeWhole(joinUri(inputOf(world, partition), name), funnelShard(rows, 60));

/** A shard with a sound footer and a flipped byte in its pages. */
const putDamaged = (world: CrashWorld, name: string) =>
  writeWhole(joinUri(inputOf(world), name), funnelShard(funnelRows('2024-05-01', 30), 60).fill(0xff, 4, 200));

/** Small shards that are packed, and a large one that is cut. */
export async function putInput(world: CrashWorld): Promise<void> {
  const days = ['2024-04-01', '2024-04-02', '2024-04-03', '2024-04-04'];
  for (const [index, day] of days.entries()) await put(world, `s${index}.parquet`, funnelRows(day, 30));
  await put(world, 'large.parquet', funnelRows('2024-04-20', 170));
}

/** Plans, scores and publishes, as `plan` and `run` do. */
export async function runPartition(
  world: CrashWorld,
  bundle: ModelBundle,
  over: Partial<RunSettings> = {},
  partition = PARTITION,
): Promise<PublishOutcome> {
  const inputs = [{ partition, inputUri: inputOf(world, partition) }];
  const { plan } = await makeRunPlan(settingsOf(world, bundle, over), inputs);
  const [executed] = await executePlan(plan, bundle, { workers: 2 });
  const { outcome } = executed!;
  if (outcome.kind === 'failed') throw outcome.error;
  return outcome;
}

export async function publishRun(...args: Parameters<typeof runPartition>): Promise<void> {
  const outcome = await runPartition(...args);
  if (outcome.kind !== 'published' && outcome.kind !== 'unchanged') throw new Error(`ended ${outcome.kind}`);
}

/** The first input, and its run. */
export const published = async (world: CrashWorld, { bundle }: CrashModels) => {
  await putInput(world);
  await publishRun(world, bundle);
};

/** Collects what a pointer doesn't reach, as a call in so many days. */
export const collect = (root: string, inDays: number) =>
  collectGarbage(root, { olderThanDays: 3, apply: true, nowMillis: Date.now() + inDays * DAY_MILLIS });

/** What the state machine does, by workers that have time for a row group or two each. */
async function runUnits(world: CrashWorld, { bundle }: CrashModels): Promise<void> {
  const { pointer } = await readPointer(world.root, PARTITION);
  const run: PartitionRun = {
    formatVersion: PLAN_FORMAT_VERSION,
    ...settingsOf(world, bundle),
    partition: PARTITION,
    inputUri: inputOf(world),
    basedOnGeneration: pointer?.generation ?? 0,
    earlier: NOTHING_EARLIER,
  };
  const { unitsUri } = (await planPartition(run))!;
  const units = decodeJson(await storageFor(unitsUri).readWhole(unitsUri), {
    code: 'TEST',
  }) as readonly WorkUnit[];
  const pool = scoringPool(bundle, 2);
  try {
    for (const first of units) {
      for (let unit: WorkUnit | undefined = first; unit !== undefined; ) {
        unit = (await scoreUnit(unit, bundle, pool, { remainingMillis: () => 0, reserveMillis: 0 })).rest;
      }
    }
  } finally {
    await pool.close();
  }
  const outcome = await publishPartition(run);
  if (!('pointer' in outcome)) throw new Error(`ended ${outcome.kind}`);
  await announced(world);
}

/** Told once more where nobody knows whether it was told. */
async function announced({ root }: CrashWorld): Promise<void> {
  const { pointer } = await readPointer(root, PARTITION);
  await announce(root, pointer!, { send: async () => undefined });
}

/** Today's rows as they are, but without a value in one feature. */
export async function blockedNight(world: CrashWorld, { bundle }: CrashModels): Promise<void> {
  await put(world, 'a.parquet', funnelRows('2024-03-08', 300), YESTERDAY);
  await publishRun(world, bundle, {}, YESTERDAY);
  const rows = funnelRows('2024-03-09', 300).map((row) => ({ ...row, age: null, device: null }));
  await put(world, 'a.parquet', rows);
}

export async function runBlocked(world: CrashWorld, { bundle }: CrashModels): Promise<void> {
  const outcome = await runPartition(world, bundle, { gates: DEFAULT_GATES });
  if (outcome.kind !== 'refused' || outcome.blocked === undefined) throw new Error(`ended ${outcome.kind}`);
}

const run = (
  name: string,
  change: (world: CrashWorld) => Promise<unknown>,
  act: Scenario['act'] = (world, { bundle }) => publishRun(world, bundle),
): Scenario => ({
  name,
  state: readerState,
  mayCollect: true,
  act,
  async prepare(world, models) {
    await published(world, models);
    await change(world);
  },
});

const channelOf = ({ root }: CrashWorld) => ({ models: root, channel: 'live' });

/** What a run would resolve, after the bundle was verified. */
export async function channelState(root: string): Promise<string> {
  const place = { models: root, channel: 'live' };
  const { document } = await readChannel(place);
  if (document === undefined) return '';
  await resolveModel(place);
  for (const { bundle } of [document.current, ...document.history]) {
    await installBundle(joinUri(root, bundle), bundlesUri(root));
  }
  return JSON.stringify(document);
}

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'a first run',
    state: readerState,
    mayCollect: true,
    prepare: putInput,
    act: (world, { bundle }) => publishRun(world, bundle),
  },
  run('a run after a shard was replaced', (world) => put(world, 's1.parquet', funnelRows('2024-06-01', 40))),
  run('a run after shards were added, one of them broken', async (world) => {
    await put(world, 's9.parquet', funnelRows('2024-06-01', 40));
    await putDamaged(world, 's7.parquet');
  }),
  run('a run after a shard was deleted', (world) =>
    storageFor(world.inputUri).remove(joinUri(inputOf(world), 's2.parquet')),
  ),
  run(
    'units, segments, publication and event',
    (world) => put(world, 'large.parquet', funnelRows('2024-06-01', 200)),
    runUnits,
  ),
  run(
    'a run of another model',
    async () => undefined,
    (world, { other }) => publishRun(world, other),
  ),
  {
    name: 'a run that gates block',
    state: readerState,
    mayCollect: true,
    prepare: blockedNight,
    act: runBlocked,
  },
  {
    name: 'a release',
    state: readerState,
    mayCollect: false,
    async prepare(world, models) {
      await blockedNight(world, models);
      await runBlocked(world, models);
    },
    async act(world) {
      await releasePartition(world.root, PARTITION, OVERRIDE);
      await announced(world);
    },
  },
  {
    name: 'a roll-back',
    state: readerState,
    mayCollect: true,
    async prepare(world, models) {
      await published(world, models);
      await put(world, 's1.parquet', funnelRows('2024-06-01', 40));
      await publishRun(world, models.bundle);
    },
    async act(world) {
      await rollBack(world.root, PARTITION, 'wrong ids');
      await announced(world);
    },
  },
  {
    name: 'gc, condemning',
    state: readerState,
    mayCollect: true,
    prepare: garbage,
    act: ({ root }) => collect(root, 4),
  },
  {
    name: 'gc, deleting',
    state: readerState,
    mayCollect: true,
    async prepare(world, models) {
      await garbage(world, models);
      await collect(world.root, 4);
    },
    act: ({ root }) => collect(root, 4),
  },
  {
    name: 'a promotion',
    state: channelState,
    mayCollect: true,
    prepare: async (world, { bundle }) => {
      await promoteBundle(bundle.uri, channelOf(world), NOW);
    },
    act: (world, { other }) => promoteBundle(other.uri, channelOf(world), NOW),
  },
  {
    name: 'a roll-back of a channel',
    state: channelState,
    mayCollect: true,
    prepare: async (world, { bundle, other }) => {
      for (const { uri } of [bundle, other]) await promoteBundle(uri, channelOf(world), NOW);
    },
    act: (world) => rollBackChannel(channelOf(world), { nowMillis: NOW }),
  },
];

/** A published partition beside parts that nothing reaches: a shard was scored, and replaced before the publication. */
export async function garbage(world: CrashWorld, models: CrashModels): Promise<void> {
  await putInput(world);
  const { bundle } = models;
  await put(world, 's1.parquet', funnelRows('2024-06-01', 40));
  const { plan } = await makeRunPlan(settingsOf(world, bundle, { toleratedBrokenShards: 0 }), [
    { partition: PARTITION, inputUri: inputOf(world) },
  ]);
  // Scored and refused: nothing is published.
  await putDamaged(world, 's8.parquet');
  await executePlan(plan, bundle, { workers: 2 });
  await storageFor(world.inputUri).remove(joinUri(inputOf(world), 's8.parquet'));
  await put(world, 's1.parquet', funnelRows('2024-06-02', 40));
  await runUnits(world, models);
}
