import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { handler as scoreHandler } from '../../functions/score.ts';
import { loadBundle, requestsToLoad } from '../../lib/bundle/loadBundle.ts';
import { resolveModel } from '../../lib/channels/resolveModel.ts';
import { countRun } from '../../lib/estimate/countRun.ts';
import { parseJob } from '../../lib/job/jobDocument.ts';
import { makeRunPlan } from '../../lib/publish/makeRunPlan.ts';
import { runSettingsOf } from '../../lib/publish/partitionRun.ts';
import { type RunPlan, writeRunPlan } from '../../lib/publish/runPlan.ts';
import { workUnits } from '../../lib/publish/workUnit.ts';
import { storageFor, writeWhole } from '../../lib/storage/openStorage.ts';
import { GATES_OFF_DOCUMENT } from '../fixtures/gatesOff.ts';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { type TinyModel, trainTinyModel } from '../fixtures/tinyModel.ts';
import { planOf } from '../publish/planOf.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { testEventBus } from '../support/eventBridge/eventBridgeDouble.ts';
import { setJob } from '../support/functions/jobVariable.ts';
import { putFolder } from '../support/s3/putFolder.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';
import { type Definition, runStateMachine } from '../support/stepFunctions/runStateMachine.ts';
import { scoringRun, scoringRunServices } from '../support/stepFunctions/scoringRun.ts';

// Runs of the deployed state machine with the functions in this process, whose requests the double has counted.
const s3 = testEndpoint();
testEventBus();
const folder = temporaryFolder();
const STATE_MACHINE_ARN = 'arn:aws:states:eu-central-1:123456789012:stateMachine:counted';
let model: TinyModel;
let count = 0;

beforeAll(async () => {
  if (s3.double !== undefined) model = await trainTinyModel(join(folder, 'model'));
}, 60_000);
beforeEach(() => {
  process.env.EVENT_BUS_NAME = 'scores';
});
afterAll(() => {
  delete process.env.EVENT_BUS_NAME;
});

/** These nights are no real ones: every gate looks, and none blocks. */
const GATES_WARN = Object.fromEntries(
  Object.keys(GATES_OFF_DOCUMENT).map((gate) => [gate, { action: 'warn' }]),
);

interface Case {
  /** Of each partition, rows of its shards. */
  readonly shards: readonly (readonly number[])[];
  readonly rowGroupRows: number;
  readonly targetRows: number;
  /** Is the first unit scored before the plan is made? */
  readonly isBegun?: boolean;
  /** Days that are published before, by the same gates; gates are off without. */
  readonly earlier?: readonly string[];
}

/** A plan of shards in folders and a place for scores of its own, and the model that this process has loaded. */
async function planned({
  shards,
  rowGroupRows,
  targetRows,
  isBegun = false,
  earlier,
}: Case): Promise<RunPlan> {
  const base = `s3://${s3.bucket}/case-${count++}`;
  const document = {
    input: `${base}/features`,
    scores: `${base}/scores`,
    model: `${base}/model`,
    targetRows,
    gates: earlier === undefined ? GATES_OFF_DOCUMENT : GATES_WARN,
  };
  setJob(document);
  await putFolder(model.bundleUri, document.model);
  // What the first publication below a root has found out about its storage stays, and so does the model that its scorer has
  // loaded: how many functions start is up to Lambda.
  await writeWhole(`${base}/features/dt=2024-01-01/0.parquet`, funnelShard(funnelRows('2024-01-01', 5)));
  await run({ partitions: { kind: 'one', partition: 'dt=2024-01-01' } });
  for (const day of earlier ?? []) {
    await writeWhole(`${base}/features/dt=${day}/0.parquet`, funnelShard(funnelRows(day, 100)));
    await run({ partitions: { kind: 'one', partition: `dt=${day}` } });
  }
  const partitions = shards.map((_, index) => `dt=2024-03-1${index}`);
  const inputs = partitions.map((partition) => ({
    partition,
    inputUri: `${document.input}/${partition}`,
  }));
  for (const [index, rowCounts] of shards.entries()) {
    for (const [place, rows] of rowCounts.entries()) {
      const shard = funnelShard(funnelRows(`2024-03-1${index}`, rows), rowGroupRows);
      await writeWhole(`${inputs[index]!.inputUri}/${place}.parquet`, shard);
    }
  }
  const job = parseJob(document);
  const settings = runSettingsOf(job, await resolveModel(job.model));
  const plan = async () => (await makeRunPlan(settings, inputs)).plan;
  if (!isBegun) return plan();
  const { partitions: open, codeVersion: _, ...rest } = await plan();
  const [unit] = await workUnits({ ...rest, ...open[0]! }, open[0]!.parts);
  await scoreHandler(unit, { getRemainingTimeInMillis: () => 600_000 });
  return plan();
}

const run = (request: object) =>
  runStateMachine(scoringRun, request, scoringRunServices(), {
    name: `run-${count++}`,
    stateMachineArn: STATE_MACHINE_ARN,
  });

async function counted(plan: RunPlan) {
  const { uri } = await writeRunPlan(plan);
  s3.double!.requests.length = 0;
  await run({ planUri: uri });
  const { requests } = s3.double!;
  const gets = requests.filter(({ method, key }) => key !== '' && ['GET', 'HEAD'].includes(method)).length;
  return { gets, puts: requests.length - gets };
}

describe.skipIf(process.env.NCS4CVR_TEST_S3_ENDPOINT !== undefined)('the requests of a run', () => {
  it.each<[string, Case]>([
    ['one part', { shards: [[100]], rowGroupRows: 100, targetRows: 1000 }],
    ['two partitions', { shards: [[100], [70]], rowGroupRows: 100, targetRows: 1000 }],
    ['small shards in one part', { shards: [[40, 40, 40]], rowGroupRows: 10, targetRows: 100_000 }],
    ['a shard in four parts', { shards: [[100]], rowGroupRows: 25, targetRows: 25 }],
    ['a shard too large to be read whole', { shards: [[15_000]], rowGroupRows: 5_000, targetRows: 15_000 }],
    ['what a begun run has left', { shards: [[100, 100]], rowGroupRows: 50, targetRows: 50, isBegun: true }],
    ['gates, of one part', { shards: [[100]], rowGroupRows: 100, targetRows: 1000, earlier: [] }],
    [
      'gates, of four parts after a day, a weekday and the partition itself',
      {
        shards: [[200]],
        rowGroupRows: 50,
        targetRows: 50,
        earlier: ['2024-03-03', '2024-03-09', '2024-03-10'],
      },
    ],
    ['nothing left to score', { shards: [[100]], rowGroupRows: 100, targetRows: 100, isBegun: true }],
  ])(
    'are as many as predicted: %s',
    async (_, given) => {
      const plan = await planned(given);
      const { gets, puts } = countRun(plan, 4, 0);
      expect(await counted(plan)).toEqual({ gets, puts });
    },
    60_000,
  );

  it('of a function that starts are as many as predicted', async () => {
    const plan = await planned({ shards: [[10]], rowGroupRows: 10, targetRows: 10 });
    s3.double!.requests.length = 0;
    const { files } = model.bundle.manifest;
    await loadBundle(storageFor(plan.modelUri), plan.modelUri);
    expect(s3.double!.requests.map(({ method }) => method)).toEqual(
      Array(countRun(plan, requestsToLoad(files), 1).gets - countRun(plan, 4, 0).gets).fill('GET'),
    );
  });
});

describe('the state transitions of a run', () => {
  /** States from the first one to the end where every choice is the one that is named, or the default. */
  function path({ StartAt, States }: Definition, taken: Readonly<Record<string, string>>): string[] {
    const names: string[] = [];
    for (let name: unknown = StartAt; typeof name === 'string'; ) {
      names.push(name);
      const state: Readonly<Record<string, unknown>> = States[name]!;
      name = taken[name] ?? state.Next ?? state.Default;
    }
    return names;
  }
  const machineOf = ({ States }: Definition, map: string) => States[map]!.ItemProcessor as Definition;

  it.each([0, 1, 3])('are those of the deployed machine: %i units', (units) => {
    const plan = planOf(Array(units).fill(100));
    const [partition] = plan.partitions;
    const counts = countRun({ ...plan, partitions: [partition!] }, 4, 1);
    const inner = machineOf(scoringRun, 'RunPartitions');
    const ended = { IsThereWork: units === 0 ? 'PublishPartition' : 'ScoreUnits' };
    const unit = path(machineOf(inner, 'ScoreUnits'), {});
    const ofPartition = path(inner, ended);
    expect(ofPartition.at(-1)).toBe('Ended');
    const ofRun = path(scoringRun, { AreAllPublished: 'AllPublished' });
    // The start of a map's item counts as one.
    expect(counts.transitions).toBe(ofRun.length + 1 + ofPartition.length + units * (1 + unit.length));
  });
});
