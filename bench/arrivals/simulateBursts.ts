// What bursts of shards into one partition cost, and when the last one is published: `npm run bench:bursts`. A simulation of the
// rounds of arrivals with what functions and requests were measured to take; parts are cut and named by the code itself.
import { readPrices } from '../../lib/estimate/readPrices.ts';
import { type Burst, type Costs, simulateBurst } from './burst.ts';

const COSTS: Costs = {
  waitSeconds: 120,
  targetRows: 1_000_000,
  batchMessages: 100,
  batchWindowSeconds: 10,
  functionGigabytes: 1,
  functionVcpus: 1024 / 1769,
  arrivalsGigabytes: 0.5,
  arrivalsSeconds: 0.5,
  functionStartSeconds: 1.5,
  // `npm run bench:large-partition`, 100,000 shards: CPU-seconds by shard, and by part of the publication.
  planSecondsPerNewShard: 0.00076,
  planSecondsPerKnownShard: 0.00005,
  publishSecondsPerShard: 0.00005,
  publishSecondsPerPart: 0.002,
  secondsPerRead: 0.02 / 32,
  // `npx vitest bench --run bench/scoring`: shards of 500 rows against one shard.
  scoreSecondsPerShard: 0.005,
  mapSeconds: 10,
};
/** After the last shard; and of what scoring costs. */
const MOST_SECONDS_AFTER = 600;
const MOST_SHARE = 0.2;

const prices = await readPrices();
const bursts: readonly Burst[] = (['by name', 'at random'] as const).flatMap((order) => [
  { shards: 1_000, rowsPerShard: 1_000_000, landingSeconds: 600, order },
  { shards: 1_000, rowsPerShard: 200_000, landingSeconds: 600, order },
  { shards: 50_000, rowsPerShard: 20_000, landingSeconds: 3600, order },
]);
const misses: string[] = [];
const table = bursts.map((burst) => {
  const found = simulateBurst(burst, prices, COSTS);
  const { shards, rowsPerShard, landingSeconds, order } = burst;
  const afterSeconds = found.publishedSeconds - landingSeconds;
  const share = (found.getDollars + found.functionDollars) / found.scoreDollars;
  const name = `${shards} of ${rowsPerShard} rows, ${landingSeconds / 60} min, ${order}`;
  if (afterSeconds > MOST_SECONDS_AFTER) misses.push(`${name}: ${Math.round(afterSeconds)} s`);
  if (share > MOST_SHARE) misses.push(`${name}: ${(100 * share).toFixed(0)}%`);
  return {
    burst: name,
    rounds: found.rounds,
    'last shard published after, min': (afterSeconds / 60).toFixed(1),
    'rows scored / rows': (found.rowsScored / (shards * rowsPerShard)).toFixed(2),
    units: found.units,
    'scoring, $': found.scoreDollars.toFixed(3),
    'GETs, $': found.getDollars.toFixed(3),
    'other functions, $': found.functionDollars.toFixed(3),
    'both / scoring': `${(100 * share).toFixed(1)}%`,
    'PUTs and LISTs, $': found.putDollars.toFixed(3),
    'transitions, $': found.transitionDollars.toFixed(3),
  };
});
console.log('Assumed, beside infra/prices.json:', COSTS);
console.log(
  `${prices.concurrency} score functions at a time; shards land evenly; nothing fails; "GETs" are all of S3's, those of scoring among them.`,
);
console.table(table);
if (misses.length > 0) {
  console.error(
    `later than ${MOST_SECONDS_AFTER} s after the last shard, or more than ${100 * MOST_SHARE}% of scoring: ${misses.join('; ')}`,
  );
  process.exitCode = 1;
}
