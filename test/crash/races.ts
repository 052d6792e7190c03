import { DAY_MILLIS } from '../../lib/base/calendarDay.ts';
import { Ncs4cvrError, StorageError } from '../../lib/base/errors.ts';
import type { RandomStream } from '../../lib/base/randomStream.ts';
import { readPointer } from '../../lib/publish/pointer.ts';
import { releasePartition } from '../../lib/publish/releasePartition.ts';
import { rollBack } from '../../lib/publish/rollBack.ts';
import { storageFor } from '../../lib/storage/openStorage.ts';
import { joinUri } from '../../lib/storage/uri.ts';
import { funnelRows } from '../fixtures/tinyFunnel.ts';
import { Attempt, type AttemptOptions } from './attempt.ts';
import type { CrashWorld } from './crashWorld.ts';
import { readerState } from './readerState.ts';
import {
  blockedNight,
  type CrashModels,
  collect,
  garbage,
  OVERRIDE,
  PARTITION,
  published,
  publishRun,
  put,
  putInput,
  runBlocked,
  runPartition,
} from './scenarios.ts';

/** Commands that meet each other, or the world's changes, in an order that is drawn. */
export interface Race {
  readonly name: string;
  prepare(world: CrashWorld, models: CrashModels): Promise<void>;
  /** Rejects when a command ends without a code. */
  race(world: CrashWorld, models: CrashModels, random: RandomStream): Promise<void>;
  /** What is repeated afterwards, undisturbed; publishes what the input holds unless it says otherwise. */
  finish?(world: CrashWorld, models: CrashModels): Promise<void>;
  /** Whether the end is what a run into a new root publishes. */
  readonly endsAsFresh: boolean;
}

/** Hands turns to attempts, one storage call at a time, in an order that is drawn. */
class Turns {
  readonly #random: RandomStream;
  /** How likely the first attempt is when several wait; now and then another one, so that either stands still for a while. */
  #bias = 0.5;
  readonly #waiting: { readonly lane: number; readonly go: () => void }[] = [];

  constructor(random: RandomStream) {
    this.#random = random;
  }

  next(lane: number): Promise<void> {
    return new Promise((go) => {
      this.#waiting.push({ lane, go });
      setImmediate(() => this.#release());
    });
  }

  #release(): void {
    if (this.#random.nextBelow(8) === 0) this.#bias = [0.03, 0.3, 0.5, 0.7, 0.97][this.#random.nextBelow(5)]!;
    const wanted = this.#random.nextUniform() < this.#bias ? 0 : 1;
    const fitting = this.#waiting.filter(({ lane }) => (lane === 0 ? 0 : 1) === wanted);
    const from = fitting.length === 0 ? this.#waiting : fitting;
    const chosen = from[this.#random.nextBelow(from.length)]!;
    this.#waiting.splice(this.#waiting.indexOf(chosen), 1);
    chosen.go();
  }
}

/** Runs commands at the same time; each ends well or with a code. */
async function meet(
  random: RandomStream,
  ...commands: readonly { readonly act: () => Promise<unknown>; readonly skewMillis?: number }[]
): Promise<void> {
  const turns = new Turns(random);
  // The others begin within the first one's work, wherever that is.
  const headStart = random.nextBelow(90);
  let calls = 0;
  let letOthersBegin: () => void = () => undefined;
  const othersBegin = new Promise<void>((resolve) => {
    letOthersBegin = resolve;
  });
  const turnOf = (lane: number) => () => {
    if (lane === 0 && calls++ >= headStart) letOthersBegin();
    return turns.next(lane);
  };
  const ended = await Promise.all(
    commands.map(async ({ act, skewMillis = 0 }, lane) => {
      if (lane > 0) await othersBegin;
      const each = await new Attempt({ turn: turnOf(lane), skewMillis }).run(act);
      if (lane === 0) letOthersBegin();
      return each;
    }),
  );
  for (const each of ended) expectCoded(each);
  const generations = ended.flatMap((each) => ('value' in each ? flippedTo(each.value) : []));
  if (new Set(generations).size < generations.length) throw new Error(`flips were lost: ${generations}`);
}

/** The generation of the pointer, if a command says that it has flipped it. */
function flippedTo(value: unknown): number[] {
  const { kind, hasFlipped, pointer } = (value ?? {}) as {
    readonly kind?: string;
    readonly hasFlipped?: boolean;
    readonly pointer?: { readonly generation: number };
  };
  return kind === 'published' || hasFlipped === true ? [pointer!.generation] : [];
}

async function disturbed(options: AttemptOptions, act: () => Promise<unknown>): Promise<void> {
  expectCoded(await new Attempt(options).run(act));
}

function expectCoded(ended: { readonly value: unknown } | { readonly error: unknown }): void {
  if ('error' in ended && !(ended.error instanceof Ncs4cvrError)) throw ended.error;
}

const replaced = async (world: CrashWorld, models: CrashModels) => {
  await published(world, models);
  await put(world, 's1.parquet', funnelRows('2024-06-01', 40));
};
const WRITES = ['createAtomic', 'write', 'commit', 'createIfAbsent', 'replaceIfVersion'];

/** Before a storage call that is drawn, the input changes. */
const withChange = (name: string, change: (world: CrashWorld) => Promise<unknown>): Race => ({
  name,
  prepare: replaced,
  endsAsFresh: true,
  async race(world, { bundle }, random) {
    const at = random.nextBelow(90);
    let calls = 0;
    const turn = async () => {
      if (calls++ === at) await outside(() => change(world));
    };
    await disturbed({ turn }, () => runPartition(world, bundle));
    await change(world);
  },
});

/** Its storage calls are somebody else's. */
const outside = (work: () => Promise<unknown>) => new Attempt().run(work);

export const RACES: readonly Race[] = [
  {
    name: 'two runs at once',
    prepare: replaced,
    endsAsFresh: true,
    race: (world, { bundle }, random) =>
      meet(random, { act: () => runPartition(world, bundle) }, { act: () => runPartition(world, bundle) }),
  },
  {
    name: 'two first runs at once, one with a clock a day off',
    prepare: putInput,
    endsAsFresh: true,
    race: (world, { bundle }, random) =>
      meet(
        random,
        { act: () => runPartition(world, bundle) },
        {
          act: () => runPartition(world, bundle),
          skewMillis: random.nextUniform() < 0.5 ? -DAY_MILLIS : DAY_MILLIS,
        },
      ),
  },
  {
    name: 'runs of two models at once',
    prepare: replaced,
    endsAsFresh: false,
    race: (world, { bundle, other }, random) =>
      meet(random, { act: () => runPartition(world, bundle) }, { act: () => runPartition(world, other) }),
  },
  {
    name: 'a run and a roll-back',
    prepare: async (world, models) => {
      await replaced(world, models);
      await publishRun(world, models.bundle);
      await put(world, 's2.parquet', funnelRows('2024-06-02', 40));
    },
    endsAsFresh: false,
    race: (world, { bundle }, random) =>
      meet(
        random,
        { act: () => runPartition(world, bundle) },
        { act: () => rollBack(world.root, PARTITION, 'wrong ids') },
      ),
    // Whichever was first: the roll-back, repeated, holds.
    async finish(world, { bundle }) {
      await rollBack(world.root, PARTITION, 'wrong ids');
      const outcome = await runPartition(world, bundle);
      if (outcome.kind !== 'held') throw new Error(`a run of a held partition ended ${outcome.kind}`);
    },
  },
  {
    name: 'a run and two collectors, one with a clock a day off',
    async prepare(world, models) {
      await garbage(world, models);
      await collect(world.root, 4);
      const pointer = joinUri(world.root, 'pointers', `${PARTITION}.json`);
      // Nothing is reached any more: everything that the run wants may go.
      await storageFor(pointer).remove(pointer);
      await collect(world.root, 4);
    },
    endsAsFresh: true,
    race: (world, { bundle }, random) =>
      meet(
        random,
        { act: () => runPartition(world, bundle) },
        { act: () => collect(world.root, 4) },
        { act: () => collect(world.root, 4), skewMillis: DAY_MILLIS },
      ),
  },
  {
    name: 'a release, a second one and a run',
    async prepare(world, models) {
      await blockedNight(world, models);
      await runBlocked(world, models);
    },
    endsAsFresh: true,
    race: (world, models, random) =>
      meet(
        random,
        { act: () => releasePartition(world.root, PARTITION, OVERRIDE) },
        { act: () => releasePartition(world.root, PARTITION, OVERRIDE) },
        { act: () => runPartition(world, models.bundle) },
      ),
    async finish(world, { bundle }) {
      await publishRun(world, bundle);
    },
  },
  withChange('a shard is replaced while it is read', (world) =>
    put(world, 'large.parquet', funnelRows('2024-07-01', 180)),
  ),
  withChange('a shard is deleted while it is read', (world) =>
    storageFor(world.inputUri).remove(joinUri(world.inputUri, PARTITION, 's1.parquet')),
  ),
  withChange('a shard lands while others are read', (world) =>
    put(world, 's5.parquet', funnelRows('2024-07-02', 30)),
  ),
  {
    name: 'no space from a call on',
    prepare: replaced,
    endsAsFresh: true,
    async race(world, { bundle }, random) {
      const from = random.nextBelow(80);
      const fail: AttemptOptions['fail'] = (name, uri, call) =>
        call >= from && WRITES.includes(name)
          ? new StorageError('STORAGE_FULL', 'no space is left', { file: uri })
          : undefined;
      const before = await readerState(world.root);
      await disturbed({ fail }, () => runPartition(world, bundle));
      const temporary = [...world.listing().keys()].filter((path) => path.endsWith('.tmp'));
      if (temporary.length > 0) throw new Error(`left on a full disk: ${temporary.join(', ')}`);
      if (from === 0 && (await readerState(world.root)) !== before)
        throw new Error('published without space');
    },
  },
];

/** Lets a race take place from the same state again and again, each time in another order. */
export async function tryRaces(
  race: Race,
  world: CrashWorld,
  models: CrashModels,
  random: RandomStream,
  cases: number,
): Promise<{ readonly name: string; cases: number; readonly failures: string[] }> {
  const tally = { name: `${race.name}, ${world.name}`, cases: 0, failures: [] as string[] };
  await race.prepare(world, models);
  const restore = world.snapshot();
  for (let index = 0; index < cases; index++) {
    restore();
    tally.cases++;
    await tryOnce(index).catch((error: unknown) => {
      tally.failures.push(`case ${index}: ${error instanceof Error ? error.stack : String(error)}`);
    });
  }
  return tally;

  async function tryOnce(index: number): Promise<void> {
    await race.race(world, models, random);
    // Rejects unless what readers see is whole.
    await readerState(world.root);
    if (race.finish === undefined) {
      const outcome = await runPartition(world, models.bundle);
      const isExpected = 'pointer' in outcome || (!race.endsAsFresh && outcome.kind === 'superseded');
      if (!isExpected) throw new Error(`repeated, the run ends ${outcome.kind}`);
    } else await race.finish(world, models);
    const whole = await readerState(world.root);
    for (let call = 0; call < 2; call++) await collect(world.root, 20);
    if ((await readerState(world.root)) !== whole) throw new Error('collecting garbage changed the state');
    if (!race.endsAsFresh) return;
    const fresh = { ...world, root: `${world.root}-fresh-${index}` };
    await publishRun(fresh, models.bundle);
    const [found, expected] = await Promise.all([world, fresh].map(digestOf));
    if (found !== expected) throw new Error('another state than a run into a new root publishes');
  }
}

async function digestOf({ root }: CrashWorld): Promise<string> {
  return (await readPointer(root, PARTITION)).pointer!.current.sha256;
}
