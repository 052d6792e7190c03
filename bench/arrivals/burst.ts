import { countRun } from '../../lib/estimate/countRun.ts';
import type { Prices } from '../../lib/estimate/readPrices.ts';
import { DEFAULT_GATES } from '../../lib/job/gateSettings.ts';
import { cutParts, type Part } from '../../lib/publish/part.ts';
import { PLAN_FORMAT_VERSION } from '../../lib/publish/partitionRun.ts';
import { type PlannedPartition, planWith } from '../../lib/publish/runPlan.ts';
import type { NamedShape } from '../../lib/publish/span.ts';
import { batchParts } from '../../lib/publish/workUnit.ts';

/** Shards of one size that land evenly in a partition. */
export interface Burst {
  readonly shards: number;
  readonly rowsPerShard: number;
  readonly landingSeconds: number;
  /** The order of their names, or one that has nothing to do with them. */
  readonly order: 'by name' | 'at random';
}

/** What isn't in the prices. Seconds of functions are seconds of one vCPU, measured; the rest is assumed. */
export interface Costs {
  /** As deployed (serverless.yml). */
  readonly waitSeconds: number;
  readonly targetRows: number;
  readonly batchMessages: number;
  readonly batchWindowSeconds: number;
  /** Of the planner and the publisher. */
  readonly functionGigabytes: number;
  readonly functionVcpus: number;
  readonly arrivalsGigabytes: number;
  readonly arrivalsSeconds: number;
  /** Start of a planner or publisher, whatever it does. */
  readonly functionStartSeconds: number;
  readonly planSecondsPerNewShard: number;
  readonly planSecondsPerKnownShard: number;
  readonly publishSecondsPerShard: number;
  readonly publishSecondsPerPart: number;
  /** 32 at a time, 20 ms each: a footer or receipt takes no less, however fast the function is. */
  readonly secondsPerRead: number;
  readonly scoreSecondsPerShard: number;
  /** A map from its start to its first item, and from its last item to its end. */
  readonly mapSeconds: number;
}

export interface BurstResult {
  readonly rounds: number;
  readonly batches: number;
  /** From the first shard to the flip that shows the last one. */
  readonly publishedSeconds: number;
  readonly units: number;
  readonly rowsScored: number;
  readonly gets: number;
  readonly puts: number;
  readonly scoreDollars: number;
  /** Those of scoring among them. */
  readonly getDollars: number;
  readonly putDollars: number;
  /** All functions but that which scores. */
  readonly functionDollars: number;
  readonly transitionDollars: number;
}

const LAMBDA_MEGABYTES_PER_VCPU = 1769;
/** Of an arrivals run beside that of a run: its document is read and written, its partition's pointer and model are read. */
/** Of a bundle with ten small tables, that a function which starts loads. */
const BUNDLE_GETS = 24;
const GETS_PER_ROUND = 5;
const PUTS_PER_ROUND = 3;
/** Waiting, and the end of the round. */
const TRANSITIONS_PER_ROUND = 2;
const model = { version: 'burst', sha256: 'a', contractFingerprint: 'b' };

/**
 * Rounds of arrivals from the first shard until all are published, as docs/publish-protocol.md has them: parts are cut, packed
 * and named by the code that is deployed, and a part of an earlier round isn't scored again.
 */
export function simulateBurst(burst: Burst, prices: Prices, costs: Costs): BurstResult {
  const shapes = shapesOf(burst);
  const landedBy = (seconds: number) =>
    Math.min(burst.shards, 1 + Math.floor((seconds / burst.landingSeconds) * burst.shards));
  // The first batch is full, or its window is over.
  const secondsPerShard = burst.landingSeconds / burst.shards;
  const batchSeconds = Math.min(costs.batchWindowSeconds, costs.batchMessages * secondsPerShard);
  const batches = Math.ceil(burst.landingSeconds / batchSeconds);
  const lastNoticeSeconds = burst.landingSeconds + batchSeconds;
  const done = new Set<string>();
  let [rounds, known, units, rowsScored, gets, puts, transitions, invocations] = [0, 0, 0, 0, 0, 0, 0, 0];
  let [functionGigabyteSeconds, scoreSeconds] = [0, 0];
  let atSeconds = batchSeconds;
  for (let isPending = true; isPending; ) {
    rounds++;
    const planAtSeconds = atSeconds + costs.waitSeconds + costs.functionStartSeconds;
    const count = landedBy(planAtSeconds);
    const round = scoreRound(shapes, count, done, prices, costs);
    const fresh = count - known;
    const planSeconds =
      costs.functionStartSeconds +
      Math.max(
        (fresh * costs.planSecondsPerNewShard + known * costs.planSecondsPerKnownShard) / costs.functionVcpus,
        fresh * costs.secondsPerRead,
      );
    const publishSeconds =
      costs.functionStartSeconds +
      Math.max(
        (count * costs.publishSecondsPerShard + round.parts * costs.publishSecondsPerPart) /
          costs.functionVcpus,
        round.parts * costs.secondsPerRead,
      );
    const endSeconds = planAtSeconds + planSeconds + 2 * costs.mapSeconds + round.makespan + publishSeconds;
    // The choice, and the end of the round.
    functionGigabyteSeconds +=
      (2 * costs.functionStartSeconds + planSeconds + publishSeconds) * costs.functionGigabytes;
    gets += round.gets + fresh + GETS_PER_ROUND;
    puts += round.puts + PUTS_PER_ROUND;
    transitions += round.transitions + TRANSITIONS_PER_ROUND;
    // The end of the round; functions that score are paid with scoring.
    invocations += round.invocations - round.units + 1;
    units += round.units;
    rowsScored += round.rowsScored;
    scoreSeconds += round.workerSeconds;
    known = count;
    // A notice after the run's plan has begun makes another round.
    isPending = lastNoticeSeconds > planAtSeconds;
    // A notice during the run has made the next round start at its end; otherwise the next batch does.
    atSeconds = isPending
      ? Math.max(endSeconds, Math.min(lastNoticeSeconds, planAtSeconds + batchSeconds))
      : endSeconds;
  }
  gets += batches;
  puts += rounds;
  functionGigabyteSeconds += batches * costs.arrivalsSeconds * costs.arrivalsGigabytes;
  invocations += batches;
  const scoreGigabyteSeconds = scoreSeconds * (prices.memoryMegabytes / 1024);
  return {
    rounds,
    batches,
    publishedSeconds: atSeconds,
    units,
    rowsScored,
    gets,
    puts,
    scoreDollars:
      scoreGigabyteSeconds * prices.dollarsPerGigabyteSecond +
      (units / 1e6) * prices.dollarsPerMillionInvocations,
    getDollars: (gets / 1000) * prices.dollarsPerThousandGets,
    putDollars: (puts / 1000) * prices.dollarsPerThousandPuts,
    functionDollars:
      functionGigabyteSeconds * prices.dollarsPerGigabyteSecond +
      (invocations / 1e6) * prices.dollarsPerMillionInvocations,
    transitionDollars: (transitions / 1000) * prices.dollarsPerThousandStateTransitions,
  };
}

/** In the order in which they land. */
function shapesOf({ shards, rowsPerShard, order }: Burst): NamedShape[] {
  const shapes = Array.from({ length: shards }, (_, index): NamedShape => {
    // Multiplying by a prime that doesn't divide the count visits every place once, far from its neighbours.
    const place = order === 'by name' ? index : (index * 7919) % shards;
    const shard = `part-${String(place).padStart(6, '0')}.parquet`;
    const groups = Math.ceil(rowsPerShard / ROWS_PER_GROUP);
    const rowCounts = Array.from({ length: groups }, (_, group) =>
      Math.min(ROWS_PER_GROUP, rowsPerShard - group * ROWS_PER_GROUP),
    );
    return { shard, version: `"${place}"`, sizeBytes: rowsPerShard * BYTES_PER_ROW, rowCounts };
  });
  return shapes;
}
const ROWS_PER_GROUP = 125_000;
const BYTES_PER_ROW = 60;

interface RoundCounts {
  readonly parts: number;
  readonly units: number;
  readonly rowsScored: number;
  readonly makespan: number;
  readonly workerSeconds: number;
  readonly gets: number;
  readonly puts: number;
  readonly transitions: number;
  readonly invocations: number;
}

/** Scores what isn't done of the first `count` shards, and adds it to `done`. */
function scoreRound(
  shapes: readonly NamedShape[],
  count: number,
  done: Set<string>,
  prices: Prices,
  costs: Costs,
): RoundCounts {
  const present = shapes.slice(0, count).sort((a, b) => (a.shard < b.shard ? -1 : 1));
  const parts = cutParts(present, costs.targetRows, model);
  const places = parts.flatMap(({ partId }, place) => (done.has(partId) ? [place] : []));
  const open = parts.filter(({ partId }) => !done.has(partId));
  const units = batchParts(open, costs.targetRows);
  const seconds = units.map((unit) => unit.reduce((sum, part) => sum + partSeconds(part, prices, costs), 0));
  const workers = Array.from(
    { length: Math.min(prices.concurrency, units.length) },
    () => prices.secondsPerColdStart,
  );
  for (const each of seconds) {
    const first = workers.indexOf(Math.min(...workers));
    workers[first]! += each;
  }
  const partition: PlannedPartition = {
    partition: 'dt=2024-03-09',
    inputUri: 's3://bucket/features/dt=2024-03-09',
    basedOnGeneration: 0,
    earlier: { near: [] },
    shardCount: count,
    sizeBytes: 0,
    parts,
    done: places,
    broken: [],
  };
  const settings = {
    formatVersion: PLAN_FORMAT_VERSION,
    modelUri: 's3://bucket/model',
    model,
    root: 's3://bucket/scores',
    targetRows: costs.targetRows,
    toleratedBrokenShards: 0,
    gates: DEFAULT_GATES,
    jobDigest: 'burst',
    liftHold: false,
  };
  const counts = countRun(planWith(settings, [partition]), BUNDLE_GETS, workers.length);
  for (const { partId } of open) done.add(partId);
  return {
    parts: parts.length,
    units: units.length,
    rowsScored: open.reduce((sum, { rows }) => sum + rows, 0),
    makespan: Math.max(0, ...workers),
    workerSeconds: workers.reduce((sum, each) => sum + each, 0),
    ...counts,
  };
}

/** As the estimate has it (lib/estimate/estimateRun.ts), and what a shard takes beside its rows. */
function partSeconds({ rows, spans }: Part, prices: Prices, costs: Costs): number {
  const groups = spans.reduce((sum, { firstRowGroup, endRowGroup }) => sum + endRowGroup - firstRowGroup, 0);
  const vcpus = Math.min(prices.memoryMegabytes / LAMBDA_MEGABYTES_PER_VCPU, groups);
  const rowSeconds = rows / (prices.rowsPerSecondPerVcpu * vcpus);
  return prices.secondsPerPart + rowSeconds + (spans.length * costs.scoreSecondsPerShard) / vcpus;
}
