// Cold starts of the packaged score function under Lambda's runtime interface client on Node 24, with S3 on the same machine:
// `npm run bench:lambda`. Every round starts one process a model, in turn, and has it score one part of one row group.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, bench } from 'vitest';
import { resolveModel } from '../../lib/channels/resolveModel.ts';
import { parseJob } from '../../lib/job/jobDocument.ts';
import { cutPartition } from '../../lib/publish/cutPartition.ts';
import { partitionRuns, runSettingsOf } from '../../lib/publish/partitionRun.ts';
import { workUnits } from '../../lib/publish/workUnit.ts';
import { writeWhole } from '../../lib/storage/openStorage.ts';
import { joinUri } from '../../lib/storage/uri.ts';
import { funnelRows, funnelShard } from '../../test/fixtures/tinyFunnel.ts';
import {
  type ConfigDocument,
  TINY_CONFIG,
  type TinyModel,
  trainTinyModel,
} from '../../test/fixtures/tinyModel.ts';
import { temporaryFolder } from '../../test/storage/temporaryFolder.ts';
import { LambdaFunction } from '../../test/support/lambda/lambdaFunction.ts';
import { unzipFunction } from '../../test/support/lambda/unzipFunction.ts';
import { putFolder } from '../../test/support/s3/putFolder.ts';
import { testEndpoint } from '../../test/support/s3/testEndpoint.ts';

const ROUNDS = 10;
const ROWS = 2_000;
const PARTITION = 'dt=2024-03-09';
const folder = temporaryFolder();
const s3 = testEndpoint();

/** The fixture's features with `buckets` more rows of embeddings, eight floats each. */
const withBuckets = (buckets: number): ConfigDocument => {
  const { features } = TINY_CONFIG.contract as { features: object[] };
  const table = { type: 'string', hash: { buckets } };
  const more = { kind: 'categorical', name: 'wide', column: 'request', table };
  return {
    contract: { features: [...features, more] },
    network: { embeddingWidth: 8, hidden: [256, 128, 64] },
  };
};
const models: Readonly<Record<string, ConfigDocument>> = {
  'tiny model': {},
  'model of 16 MB': withBuckets(500_000),
};

interface Phases {
  /** Milliseconds from the start of the process until it asks for an invocation. */
  readonly ready: number;
  /** From then to its first request. */
  readonly firstRequest: number;
  /** From there to the first request for the shard: the model is read, verified and has scored its golden rows. */
  readonly model: number;
  /** From there until the part arrives: a thread is started and has scored and encoded the rows. */
  readonly batch: number;
  /** All of the former: process start to first scored batch. */
  readonly scored: number;
  /** Processor time of the process until then: what a busy machine changes least. */
  readonly scoredCpu: number;
  /** The part is read back, the receipt written, the answer given. */
  readonly answer: number;
  /** A second invocation of the same process, on another output root. */
  readonly warm: number;
}
const measured = new Map<string, Phases[]>();
const trained = new Map<string, TinyModel>();
let taskRoot: string;
let count = 0;

beforeAll(async () => {
  taskRoot = unzipFunction(folder, 'x64', 'score');
  const shard = funnelShard(funnelRows('2024-03-09', ROWS), ROWS);
  await writeWhole(`s3://${s3.bucket}/features/${PARTITION}/a.parquet`, shard);
  for (const [name, config] of Object.entries(models)) {
    const model = await trainTinyModel(join(folder, name), { config });
    await putFolder(model.bundleUri, modelUri(name));
    trained.set(name, model);
    measured.set(name, []);
  }
}, 120_000);

const modelUri = (name: string) => `s3://${s3.bucket}/models/${name.replaceAll(' ', '-')}`;

/** A unit of one part in a place of its own. */
async function freshUnit(name: string) {
  const root = `s3://${s3.bucket}/scores/${count++}`;
  const job = parseJob({ input: 'unused', scores: root, model: modelUri(name), targetRows: ROWS });
  const settings = runSettingsOf(job, await resolveModel(job.model));
  const inputUri = joinUri(`s3://${s3.bucket}/features`, PARTITION);
  const [run] = await partitionRuns(settings, [{ partition: PARTITION, inputUri }]);
  const { parts } = (await cutPartition(run!))!;
  return (await workUnits(run!, parts))[0]!;
}

async function coldStart(name: string): Promise<Phases> {
  const [unit, again] = [await freshUnit(name), await freshUnit(name)];
  const environment = { AWS_ENDPOINT_URL_S3: s3.double!.endpoint };
  const score = await LambdaFunction.create({ name: 'score', taskRoot, environment });
  const at = { request: 0, shard: 0, part: 0 };
  let scoredCpu = 0;
  s3.double!.options = {
    fault: ({ method, key }) => {
      const now = performance.now();
      at.request ||= now;
      if (key.endsWith('.parquet')) at.shard ||= now;
      if (method === 'PUT' && key.includes('/parts/')) {
        at.part ||= now;
        scoredCpu ||= cpuMillis(score.pid!);
      }
      return undefined;
    },
  };
  const start = performance.now();
  await score.initialise();
  const ready = performance.now();
  await score.invoke(unit);
  const answered = performance.now();
  await score.invoke(again);
  const warm = performance.now() - answered;
  await score.stop();
  return {
    ready: ready - start,
    firstRequest: at.request - ready,
    model: at.shard - at.request,
    batch: at.part - at.shard,
    scored: at.part - start,
    scoredCpu,
    answer: answered - at.part,
    warm,
  };
}

/** User and system time of a process, all threads; the kernel counts in ticks of 10 ms (proc(5), /proc/pid/stat). */
function cpuMillis(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return 10 * (Number(fields[11]) + Number(fields[12]));
}

bench(
  `cold starts, ${ROUNDS} of each model in turn`,
  async () => {
    for (const name of trained.keys()) measured.get(name)!.push(await coldStart(name));
  },
  { iterations: ROUNDS, time: 0, warmupIterations: 1, warmupTime: 0 },
);

afterAll(() => {
  const table = [...measured].flatMap(([model, all]) => {
    // The warm-up round fills the disk's cache.
    const rounds = all.slice(1);
    return (Object.keys(rounds[0]!) as (keyof Phases)[]).map((phase) => {
      const sorted = rounds.map((each) => each[phase]).sort((a, b) => a - b);
      const median = (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
      const [min, max] = [sorted[0]!, sorted.at(-1)!];
      const round = Math.round;
      return {
        model,
        phase,
        rounds: sorted.length,
        minMillis: round(min),
        medianMillis: round(median),
        maxMillis: round(max),
      };
    });
  });
  console.table(table);
});
