// Cold starts of the packaged score function under Lambda's runtime interface client on Node 24, with S3 on the same machine:
// `npm run bench:lambda`. Every round starts one process a model, in turn, and has it score one part of one row group. With
// BEFORE=DIR, a built checkout with packages for x64, its function takes turns too, with models that it has trained from the
// same config. With MODEL=DIR, a bundle whose contract the fixture's columns fulfil, it takes turns as well, without a `before`:
// `npm run bench:table -- 16000000 --write DIR` writes one with a table of 1 GB.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, bench } from 'vitest';
import type * as ResolveModel from '../../lib/channels/resolveModel.ts';
import type * as JobDocument from '../../lib/job/jobDocument.ts';
import type * as CutPartition from '../../lib/publish/cutPartition.ts';
import type * as PartitionRun from '../../lib/publish/partitionRun.ts';
import type * as Work from '../../lib/publish/workUnit.ts';
import { writeWhole } from '../../lib/storage/openStorage.ts';
import { joinUri } from '../../lib/storage/uri.ts';
import { funnelRows, funnelShard, writeTinyFunnel } from '../../test/fixtures/tinyFunnel.ts';
import { type ConfigDocument, TINY_CONFIG, tinyConfigDocument } from '../../test/fixtures/tinyModel.ts';
import { temporaryFolder } from '../../test/storage/temporaryFolder.ts';
import { LambdaFunction } from '../../test/support/lambda/lambdaFunction.ts';
import { unzipFunction } from '../../test/support/lambda/unzipFunction.ts';
import { putFolder } from '../../test/support/s3/putFolder.ts';
import { testEndpoint } from '../../test/support/s3/testEndpoint.ts';
import { medianOf } from '../medianOf.ts';

const ROUNDS = Number(process.env.ROUNDS ?? 10);
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
/** A function of a checkout with one of the models. */
interface Arm {
  readonly checkout: string;
  readonly taskRoot: string;
  readonly modelUri: string;
}
const project = fileURLToPath(new URL('../../', import.meta.url));
const checkouts: Readonly<Record<string, string>> = {
  now: project,
  ...(process.env.BEFORE === undefined ? {} : { before: process.env.BEFORE }),
};
const arms = new Map<string, Arm>();
const measured = new Map<string, Phases[]>();
let count = 0;

beforeAll(async () => {
  const shard = funnelShard(funnelRows('2024-03-09', ROWS), ROWS);
  await writeWhole(`s3://${s3.bucket}/features/${PARTITION}/a.parquet`, shard);
  const data = join(folder, 'data');
  writeTinyFunnel(data);
  const addArm = async (name: string, checkout: string, taskRoot: string, bundle: string) => {
    const modelUri = `s3://${s3.bucket}/models/${name.replaceAll(/\W+/g, '-')}`;
    await putFolder(bundle, modelUri);
    arms.set(name, { checkout, taskRoot, modelUri });
    measured.set(name, []);
  };
  for (const [when, checkout] of Object.entries(checkouts)) {
    const taskRoot = unzipFunction(join(folder, when), 'x64', 'score', checkout);
    for (const [model, overrides] of Object.entries(models)) {
      const place = join(folder, when, model.replaceAll(' ', '-'));
      mkdirSync(place, { recursive: true });
      writeFileSync(join(place, 'config.json'), JSON.stringify(tinyConfigDocument(overrides)));
      const args = ['train', join(place, 'config.json'), '--data', data, '--output', join(place, 'bundle')];
      execFileSync(process.execPath, [join(checkout, 'dist/lib/cli/main.js'), ...args], { stdio: 'ignore' });
      await addArm(`${model}, ${when}`, checkout, taskRoot, join(place, 'bundle'));
    }
    const given = process.env.MODEL;
    if (given !== undefined && when === 'now') await addArm('given model', checkout, taskRoot, given);
  }
}, 300_000);

/** A unit of one part in a place of its own, as the checkout's own code makes it. */
async function freshUnit({ checkout, modelUri }: Arm) {
  const load = async <Module>(path: string) =>
    (await import(pathToFileURL(join(checkout, 'dist/lib', path)).href)) as Module;
  const { resolveModel } = await load<typeof ResolveModel>('channels/resolveModel.js');
  const { parseJob } = await load<typeof JobDocument>('job/jobDocument.js');
  const { cutPartition } = await load<typeof CutPartition>('publish/cutPartition.js');
  const { partitionRuns, runSettingsOf } = await load<typeof PartitionRun>('publish/partitionRun.js');
  const { workUnits } = await load<typeof Work>('publish/workUnit.js');
  const root = `s3://${s3.bucket}/scores/${count++}`;
  const job = parseJob({ input: 'unused', scores: root, model: modelUri, targetRows: ROWS });
  const settings = runSettingsOf(job, await resolveModel(job.model));
  const inputUri = joinUri(`s3://${s3.bucket}/features`, PARTITION);
  const [run] = await partitionRuns(settings, [{ partition: PARTITION, inputUri }]);
  const { parts } = (await cutPartition(run!))!;
  return (await workUnits(run!, parts))[0]!;
}

async function coldStart(arm: Arm): Promise<Phases> {
  const { taskRoot } = arm;
  const [unit, again] = [await freshUnit(arm), await freshUnit(arm)];
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
    for (const [name, arm] of arms) measured.get(name)!.push(await coldStart(arm));
  },
  { iterations: ROUNDS, time: 0, warmupIterations: 1, warmupTime: 0 },
);

afterAll(() => {
  const table = [...measured].flatMap(([model, all]) => {
    // The warm-up round fills the disk's cache.
    const rounds = all.slice(1);
    return (Object.keys(rounds[0]!) as (keyof Phases)[]).map((phase) => {
      const sorted = rounds.map((each) => each[phase]).sort((a, b) => a - b);
      const [min, max] = [sorted[0]!, sorted.at(-1)!];
      const round = Math.round;
      return {
        model,
        phase,
        rounds: sorted.length,
        minMillis: round(min),
        medianMillis: round(medianOf(sorted)),
        maxMillis: round(max),
      };
    });
  });
  console.table(table);
});
