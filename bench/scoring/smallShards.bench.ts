// What small shards cost beside their rows: `npx vitest bench --run bench/scoring`. The rows of `npm run demo` stand in 2,000
// shards of 500 and in one shard, with large and with small row groups; every round scores each once, in turn, with one thread and with each model: the demo's, whose
// network is tiny (a microsecond per row), and one of the default network.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pl from 'nodejs-polars';
import { afterAll, beforeAll, bench } from 'vitest';
import { loadBundle, type ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { openShard } from '../../lib/parquet/openShard.ts';
import { readShardShape } from '../../lib/parquet/readShardShape.ts';
import { parseTrainingConfig } from '../../lib/recipe/trainingConfig.ts';
import { trainModel } from '../../lib/recipe/trainModel.ts';
import type { ShardSpan } from '../../lib/scoring/openSpans.ts';
import { partMetadata } from '../../lib/scoring/predictionMetadata.ts';
import { scoreSpans } from '../../lib/scoring/scoreSpans.ts';
import { scoringPool, type WorkerPool } from '../../lib/scoring/workerPool.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { parseFunnelOptions } from '../../lib/synthesis/funnelOptions.ts';
import { synthesise } from '../../lib/synthesis/synthesise.ts';
import { temporaryFolder } from '../../test/storage/temporaryFolder.ts';
import { medianOf } from '../medianOf.ts';

const ROUNDS = 5;
const SHARDS = 2000;
const SHARD_ROWS = 500;
/** Of the one shard: what many writers make, and what fits a request. */
const ROW_GROUP_ROWS = [65_536, 8192];
const folder = temporaryFolder();
const cpuSeconds = new Map<string, number[]>();
const inputs = new Map<string, ShardSpan[]>();
const NETWORKS: Readonly<Record<string, object>> = { demo: {}, default: { network: { kind: 'ncs' } } };
const models = new Map<string, { readonly bundle: ModelBundle; readonly pool: WorkerPool }>();

async function measured(name: string, work: () => Promise<unknown>): Promise<void> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  cpuSeconds.set(name, [...(cpuSeconds.get(name) ?? []), (user + system) / 1e6]);
}

/** One day of the demo, over and over. */
async function writeInputs(day: string): Promise<void> {
  const rows = pl.readParquet(readFileSync(day));
  const copies = Math.ceil((SHARDS * SHARD_ROWS) / rows.height);
  const all = pl.concat(Array(copies).fill(rows)).head(SHARDS * SHARD_ROWS);
  const write = async (path: string, shard: typeof rows, rowGroupSize?: number): Promise<ShardSpan> => {
    const uri = join(folder, path);
    mkdirSync(join(uri, '..'), { recursive: true });
    writeFileSync(
      uri,
      shard.writeParquet({ compression: 'snappy', ...(rowGroupSize && { rowGroupSize }) }) as Buffer,
    );
    return { uri, known: (await localDisk.stat(uri))! };
  };
  for (const rowGroupSize of ROW_GROUP_ROWS) {
    const path = `one-${rowGroupSize}.parquet`;
    inputs.set(`one shard of ${rowGroupSize}-row groups`, [await write(path, all, rowGroupSize)]);
  }
  const small: ShardSpan[] = [];
  for (let index = 0; index < SHARDS; index++) {
    small.push(await write(`small/${index}.parquet`, all.slice(index * SHARD_ROWS, SHARD_ROWS)));
  }
  inputs.set(`${SHARDS} shards`, small);
}

beforeAll(async () => {
  const data = join(folder, 'data');
  await synthesise(parseFunnelOptions({}), data);
  const document = JSON.parse(readFileSync(join(data, 'config.json'), 'utf8'));
  for (const [name, change] of Object.entries(NETWORKS)) {
    const config = parseTrainingConfig({ ...document, ...change }, 'config.json');
    await trainModel(config, data, join(folder, name));
    const bundle = await loadBundle(localDisk, join(folder, name));
    models.set(name, { bundle, pool: scoringPool(bundle, 1) });
  }
  await writeInputs(join(data, 'dt=2024-03-06/part-0.parquet'));
}, 1_200_000);

async function score(model: string, input: string): Promise<void> {
  const { bundle, pool } = models.get(model)!;
  const metadata = () => partMetadata(bundle, { inputCount: 1, rowCount: SHARDS * SHARD_ROWS });
  const output = join(folder, 'scores.arrow');
  const { rowCount } = await scoreSpans(inputs.get(input)!, output, bundle, pool, { metadata });
  if (rowCount !== SHARDS * SHARD_ROWS) throw new Error(`${rowCount} rows`);
}

bench(
  `one round: ${SHARDS} shards of ${SHARD_ROWS} rows, one shard, and the footers alone`,
  async () => {
    for (const model of models.keys()) {
      for (const input of inputs.keys()) {
        await measured(`${input}, ${model} network`, () => score(model, input));
      }
    }
    const small = inputs.get(`${SHARDS} shards`)!;
    await measured('footers: openShard', async () => {
      for (const { uri, known } of small) {
        const file = await localDisk.open(uri, known);
        await openShard(file);
        await file.close();
      }
    });
    await measured('footers: readShardShape', async () => {
      for (const { uri, known } of small) await readShardShape(uri, known);
    });
  },
  { iterations: ROUNDS, time: 0, warmupIterations: 1, warmupTime: 0 },
);

afterAll(async () => {
  for (const { pool } of models.values()) await pool.close();
  const against = (work: string, rowGroupSize: number) => {
    const one = cpuSeconds.get(`one shard of ${rowGroupSize}-row groups,${work.split(',')[1]}`);
    return one && (medianOf(cpuSeconds.get(work)!) / medianOf(one)).toFixed(2);
  };
  console.table(
    [...cpuSeconds].map(([work, seconds]) => ({
      work,
      'CPU-seconds, median': medianOf(seconds).toFixed(2),
      'fewest and most': `${Math.min(...seconds).toFixed(2)} to ${Math.max(...seconds).toFixed(2)}`,
      ...Object.fromEntries(ROW_GROUP_ROWS.map((rows) => [`against ${rows}`, against(work, rows)])),
      'milliseconds per shard': ((1000 * medianOf(seconds)) / SHARDS).toFixed(2),
    })),
  );
});
