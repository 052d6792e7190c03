// What counting profiles adds to scoring: `npx vitest bench --run bench/scoring/profile.bench.ts`, with the data beside the
// repository (../shared/data). A real day, with the contract and the network of examples/kuairand.json (49 features, of them
// three lists), is scored by one thread: without a reference, with one and two slices, and with labels as well. Every round
// scores each once, every other round in the opposite order; a round also encodes the decoded day alone, without bins to count
// values in and with them. The first rounds, in which V8 compiles, don't count.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, bench } from 'vitest';
import { loadBundle, type ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { allocateEncodedRows, type EncodedRows } from '../../lib/features/encodedRows.ts';
import { FeatureEncoder } from '../../lib/features/featureEncoder.ts';
import { decodeRowGroups } from '../../lib/parquet/decodeRowGroups.ts';
import { openShard } from '../../lib/parquet/openShard.ts';
import { readRanges } from '../../lib/parquet/readRowGroup.ts';
import { type ReadRowGroupBytes, rowGroupReads } from '../../lib/parquet/rowGroupReads.ts';
import { ProfileCounter } from '../../lib/profile/profileCounter.ts';
import { parseTrainingConfig } from '../../lib/recipe/trainingConfig.ts';
import { trainModel } from '../../lib/recipe/trainModel.ts';
import { columnsToRead } from '../../lib/scoring/planRequests.ts';
import { scoreSpans } from '../../lib/scoring/scoreSpans.ts';
import { scoringPool, type WorkerPool } from '../../lib/scoring/workerPool.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { sharedData } from '../../test/parquet/memoryFile.ts';
import { temporaryFolder } from '../../test/storage/temporaryFolder.ts';
import { medianOf } from '../medianOf.ts';

const ROUNDS = 60;
const WARM_UP_ROUNDS = 20;
const [TRAINED, VALIDATED, SCORED] = ['2022-04-25', '2022-04-26', '2022-04-27'];
const BATCH_ROWS = 512;
const folder = temporaryFolder();
const shardUri = `${sharedData}kuairand-pure/dt=${SCORED}/part-0.parquet`;
const cpuSeconds = new Map<string, number[]>();
const arms = new Map<string, { readonly bundle: ModelBundle; readonly countLabels: boolean }>();
const pools = new Map<string, WorkerPool>();
let rowCount = 0;
let isTurned = false;
let rowGroups: ReadRowGroupBytes[] = [];
/** With bins, and without. */
let counting: { readonly encoder: FeatureEncoder; readonly counter: ProfileCounter };
let plain: FeatureEncoder;
let into: EncodedRows;
const scores = {
  pctr: new Float32Array(BATCH_ROWS).fill(0.3),
  pcvr: new Float32Array(BATCH_ROWS).fill(0.1),
};

async function measured(name: string, work: () => unknown): Promise<void> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  cpuSeconds.set(name, [...(cpuSeconds.get(name) ?? []), (user + system) / 1e6]);
}

async function readDay(contract: ModelBundle['contract']): Promise<ReadRowGroupBytes[]> {
  const file = await localDisk.open(shardUri);
  const shard = await openShard(file);
  const read = await Promise.all(
    [...shard.rowGroups.keys()].map(async (index) => {
      const reads = rowGroupReads(shard, index, columnsToRead(shard, contract));
      return { uri: shardUri, reads, buffer: await readRanges(file, reads) };
    }),
  );
  await file.close();
  return read;
}

/** Decodes the day again, so that every round meets its dictionaries for the first time, and encodes it. */
async function encodeDay(
  name: string,
  { contract }: ModelBundle,
  encoder: FeatureEncoder,
  counter?: ProfileCounter,
) {
  const dictionaries = new Set(contract.features.map(({ column }) => column));
  const batches = rowGroups.flatMap((rowGroup) => decodeRowGroups([rowGroup], { dictionaries }));
  await measured(name, () => {
    counter?.reset();
    for (const batch of batches) {
      for (let start = 0; start < batch.numRows; start += BATCH_ROWS) {
        const end = Math.min(batch.numRows, start + BATCH_ROWS);
        encoder.encode(batch, start, end, into, 0, 0);
        counter?.addScores(into, end - start, scores);
      }
    }
  });
}

beforeAll(async () => {
  const example = JSON.parse(readFileSync(new URL('../../examples/kuairand.json', import.meta.url), 'utf8'));
  // All connections: the search for masks takes long, and changes nothing about the time that scoring takes.
  const { masks: _, ...document } = example;
  const config = parseTrainingConfig(
    {
      ...document,
      slices: ['tab', 'video_type'],
      split: {
        by: 'date',
        train: { from: TRAINED, to: TRAINED },
        validation: { from: VALIDATED, to: VALIDATED },
      },
      training: { ...example.training, epochs: 1, validationsPerEpoch: 1 },
    },
    'kuairand.json',
  );
  await trainModel(config, `${sharedData}kuairand-pure`, join(folder, 'model'));
  const bundle = await loadBundle(localDisk, join(folder, 'model'));
  arms.set('scoring, no reference', { bundle: { ...bundle, reference: undefined }, countLabels: false });
  arms.set('scoring, profile', { bundle, countLabels: false });
  arms.set('scoring, profile and labels', { bundle, countLabels: true });
  for (const [name, arm] of arms) pools.set(name, scoringPool(arm.bundle, 1));
  rowGroups = await readDay(bundle.contract);
  rowCount = rowGroups.reduce((sum, { reads }) => sum + reads.rowCount, 0);
  const counter = new ProfileCounter(bundle.layout, bundle.reference);
  counting = { encoder: new FeatureEncoder(bundle.contract, bundle.vocabularies, counter.bins), counter };
  plain = new FeatureEncoder(bundle.contract, bundle.vocabularies);
  into = allocateEncodedRows(bundle.layout, BATCH_ROWS);
}, 1_200_000);

async function score(name: string): Promise<void> {
  const { bundle, countLabels } = arms.get(name)!;
  const output = join(folder, 'scores.arrow');
  const options = { metadata: () => new Map<string, string>(), countLabels };
  const scored = await scoreSpans([{ uri: shardUri }], output, bundle, pools.get(name)!, options);
  if (scored.rowCount !== rowCount) throw new Error(`${scored.rowCount} rows`);
}

bench(
  'one round: a day without a reference, with one, with labels; and its rows encoded alone',
  async () => {
    const order = [...arms.keys()];
    for (const name of isTurned ? order.reverse() : order) await measured(name, () => score(name));
    isTurned = !isTurned;
    const { bundle } = arms.get('scoring, profile')!;
    await encodeDay('encoding alone, no reference', bundle, plain);
    await encodeDay('encoding alone, profile', bundle, counting.encoder, counting.counter);
  },
  { iterations: ROUNDS, time: 0, warmupIterations: WARM_UP_ROUNDS, warmupTime: 0 },
);

afterAll(async () => {
  for (const pool of pools.values()) await pool.close();
  for (const seconds of cpuSeconds.values()) seconds.splice(0, WARM_UP_ROUNDS);
  const base = medianOf(cpuSeconds.get('scoring, no reference')!);
  console.table(
    [...cpuSeconds].map(([work, seconds]) => ({
      work,
      'CPU-seconds, median': medianOf(seconds).toFixed(3),
      'fewest and most': `${Math.min(...seconds).toFixed(3)} to ${Math.max(...seconds).toFixed(3)}`,
      'of scoring without a reference': `${((100 * medianOf(seconds)) / base).toFixed(1)}%`,
      'microseconds per row': ((1e6 * medianOf(seconds)) / rowCount).toFixed(3),
    })),
  );
});
