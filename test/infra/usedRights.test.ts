import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { handler as arrivals } from '../../functions/arrivals.ts';
import { handler as freshness } from '../../functions/freshness.ts';
import { callMain } from '../cli/callMain.ts';
import '../cli/quickPauses.mjs';
import { isAllowed, neededRights, type Statement } from '../deploy/rolePolicy.ts';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { packagedTemplate, type Resources } from '../support/cloudFormation/packagedTemplate.ts';
import { resolveTemplate } from '../support/cloudFormation/resolveTemplate.ts';
import { testEventBus } from '../support/eventBridge/eventBridgeDouble.ts';
import { objectCreatedEvent } from '../support/s3/objectCreatedEvent.ts';
import { S3Bucket } from '../support/s3/s3Bucket.ts';
import type { S3Fault, S3Request } from '../support/s3/s3Double.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';
import { scoringRun, scoringRunServices } from '../support/stepFunctions/scoringRun.ts';
import { StepFunctionsDouble } from '../support/stepFunctions/stepFunctionsDouble.ts';
import { statementsOf } from './checks/resources.ts';
import { allowances } from './checks/roles.ts';

// Every request of the functions and of the operators' commands, asked of the policies that are deployed: template.test.ts has which
// actions they call, and this on which resources. In locations with prefixes, where a policy can be wrong in the most ways.
const VARIANTS: Readonly<Record<string, readonly string[]>> = JSON.parse(
  readFileSync(new URL('variants.json', import.meta.url), 'utf8'),
);
const PARAMS = VARIANTS['existing buckets with prefixes and keys']!;
const OLD_MILLIS = 40 * 86_400_000;

const s3 = testEndpoint();
testEventBus();
const folder = temporaryFolder();
let resources: Resources;
let sfn: StepFunctionsDouble;
/** Does scoring fail? */
let isBroken = false;
const lacking: string[] = [];

const placeOf = (name: string) =>
  PARAMS.find((each) => each.startsWith(`${name}=`))!.slice(`${name}=`.length);
const [input, models, scores] = ['input', 'models', 'scores'].map(placeOf) as [string, string, string];

beforeAll(async () => {
  resources = resolveTemplate(packagedTemplate('prod', ...PARAMS.map((each) => `--param=${each}`)));
  for (const name of ['their-data', 'our-data']) s3.double!.buckets.set(name, new S3Bucket());
  s3.double!.options = { fault: refusal };
  for (const name of ['Arrivals', 'Plan', 'Publish']) {
    const { Variables } = resources[`${name}LambdaFunction`]!.Properties!.Environment as {
      Variables: Record<string, string>;
    };
    Object.assign(process.env, Variables);
  }
  const { functions, readJson, writeJson } = scoringRunServices();
  const judged = Object.entries(functions).map(([name, call]) => [
    name,
    async (payload: unknown) => {
      if (isBroken && name === 'plan') throw new Error('no memory left');
      return as(name, () => call(payload));
    },
  ]);
  sfn = await StepFunctionsDouble.start(scoringRun, {
    functions: Object.fromEntries(judged),
    readJson: (...args) => as('scoringRun', () => readJson(...args)),
    writeJson: (...args) => as('scoringRun', () => writeJson(...args)),
    wait: () => Promise.resolve(),
  });
  process.env.AWS_ENDPOINT_URL_SFN = sfn.endpoint;
  process.env.STATE_MACHINE_ARN = sfn.stateMachineArn;
}, 60_000);
afterAll(() => sfn?.stop());

/** Whose requests the store gets now: of one at a time. */
let caller = 'operator';
let last: Promise<unknown> = Promise.resolve();
async function as<T>(name: string, work: () => Promise<T>): Promise<T> {
  const turn = last.then(async () => {
    caller = name;
    try {
      return await work();
    } finally {
      caller = 'operator';
    }
  });
  last = turn.catch(() => undefined);
  return turn;
}

/** Refuses what the caller's policy doesn't allow, as S3 does. */
function refusal({ method, bucket, key, query, headers }: S3Request): S3Fault | undefined {
  // `doctor` asks the store for its time, without credentials.
  if (bucket === '' || s3.double!.buckets.get(bucket) === undefined) return undefined;
  const url = new URL(`http://s3/${bucket}/${encodeURIComponent(key)}?${query}`);
  const isGranted = ask({ service: 's3', method, url, headers, body: Buffer.alloc(0) });
  return isGranted ? undefined : { kind: 'status', status: 403, code: 'AccessDenied' };
}

function ask(request: Parameters<typeof neededRights>[0]): boolean {
  const lacks = neededRights(request, new Map()).filter((right) => !isAllowed(policyOf(caller), right));
  lacking.push(...lacks.map(({ action, resource }) => `${caller}: ${action} on ${resource}`));
  return lacks.length === 0;
}

function policyOf(name: string): readonly Statement[] {
  const role = `${name[0]!.toUpperCase()}${name.slice(1)}Role`;
  const found =
    name === 'operator'
      ? statementsOf(resources.OperatorPolicy!.Properties!.PolicyDocument)
      : allowances(role, resources[role]!.Properties!, resources);
  return found as readonly Statement[];
}

/** A command as an operator calls it. @returns its output */
async function operate(exitCode: number, ...args: readonly string[]): Promise<string> {
  const before = sfn.calls.length;
  const finished = await callMain(...args);
  for (let i = before; i < sfn.calls.length; i++) {
    const headers = { 'x-amz-target': `AWSStepFunctions.${sfn.calls[i]}` };
    // Under the name that the resolved template gives the machine.
    const body = Buffer.from(sfn.bodies[i]!.toString().replaceAll(':scoring', ':ScoringRun'));
    ask({ service: 'states', method: 'POST', url: new URL('http://sfn/'), headers, body });
  }
  expect(finished.exitCode, `${args[0]}: ${finished.stderr} ${lacking}`).toBe(exitCode);
  return finished.stdout;
}

const bucketOf = (uri: string) => s3.double!.buckets.get(new URL(uri).host)!;
const keyOf = (uri: string) => new URL(uri).pathname.slice(1);
function put(uri: string, bytes: Uint8Array | string) {
  return bucketOf(uri).put(keyOf(uri), Buffer.from(bytes), {}, {});
}
/** Rows of the day that no other shard has, with or without their ages. */
const land = (name: string, [from, to]: readonly [number, number], isWhole = true) => {
  const rows = funnelRows('2024-03-09', to).slice(from);
  const shard = isWhole ? rows : rows.map((row) => ({ ...row, age: null }));
  return put(`${input}/${name}`, funnelShard(shard, 100));
};
/** As if all of it had been there for long. */
function age(uri: string): void {
  for (const [key, object] of bucketOf(uri).objects) {
    if (key.startsWith(`${keyOf(uri)}/`)) {
      Object.assign(object, { lastModified: new Date(Date.now() - OLD_MILLIS) });
    }
  }
}

describe.skipIf(process.env.NCS4CVR_TEST_S3_ENDPOINT !== undefined)('with their own policies alone', () => {
  it('operators and functions do all that they are for, on every resource that they ask for', async () => {
    const { bundleUri } = await trainTinyModel(join(folder, 'model'));
    const job = join(folder, 'job.json');
    const plan = join(folder, 'plan.json');
    writeFileSync(job, process.env.JOB!);
    const partition = ['--scores', scores, '--partition', 'dt=2024-03-09'];
    const arn = sfn.stateMachineArn;
    await operate(0, 'promote', bundleUri, '--models', models, '--channel', 'live');

    // A run that fails, and is redriven.
    land('dt=2024-03-09/a.parquet', [0, 1_500]);
    await operate(0, 'plan', '--job', job, '--output', plan);
    isBroken = true;
    await operate(1, 'run', '--plan', plan, '--state-machine', arn, '--wait');
    isBroken = false;
    await operate(0, 'redrive', '--state-machine', arn, '--wait');

    // A shard that lands, its run, and what a run on the operator's machine adds.
    const event = objectCreatedEvent(
      'their-data',
      keyOf(`${input}/dt=2024-03-09/b.parquet`),
      land('dt=2024-03-09/b.parquet', [1_500, 1_560]),
      1,
    );
    await as('arrivals', () =>
      arrivals({ Records: [{ messageId: '1', body: JSON.stringify(event) }] } as never),
    );
    await sfn.settled();
    expect([...sfn.executions.values()].map(({ status }) => status)).toEqual(['SUCCEEDED', 'SUCCEEDED']);
    await as('freshness', () => freshness({}));
    land('dt=2024-03-09/c.parquet', [1_560, 1_600]);
    await operate(0, 'plan', '--job', job, '--output', plan);
    await operate(0, 'run', '--plan', plan);

    await operate(0, 'run', '--plan', plan, '--shadow', bundleUri);

    // What a gate blocks, and is released.
    land('dt=2024-03-10/a.parquet', [0, 1_500], false);
    await operate(0, 'plan', '--job', job, '--output', plan, '--partition', 'dt=2024-03-10');
    await operate(4, 'run', '--plan', plan);
    await operate(0, 'release', '--scores', scores, '--partition', 'dt=2024-03-10', '--override', 'known');
    await operate(0, 'rollback', ...partition, '--reason', 'wrong', '--bus', 'default');
    await operate(0, 'status', '--scores', scores);
    await operate(0, 'status', '--scores', scores, '--verify');
    await operate(0, 'status', '--job', job);
    await operate(0, 'resolve', ...partition);
    await operate(0, 'diff', ...partition);
    await operate(0, 'export-scores', ...partition, '--output', join(folder, 'copy'));
    await operate(0, 'report', ...partition, '--output', join(folder, 'report.html'));

    // Of everything that a run leaves something which nobody needs.
    for (const kind of [...new Set(written())]) {
      put(`${scores}/${kind}/dt=2024-03-01/left.json`, 'x'.repeat(300));
    }
    age(scores);
    await operate(0, 'gc', '--scores', scores, '--days', '30', '--apply');
    age(scores);
    await operate(0, 'gc', '--scores', scores, '--days', '30', '--apply');
    expect([...new Set(lacking)]).toEqual([]);
  }, 240_000);

  it('doctor looks at an input without a slash at its end, although it may not ask for an object of that name', async () => {
    await operate(0, 'doctor', '--input', input, '--scores', scores);
    expect(lacking).toEqual([`operator: s3:GetObject on ${input.replace('s3://', 'arn:aws:s3:::')}`]);
  });
});

/** Folders below the scores' root that something was written into. */
function written(): string[] {
  const prefix = `${keyOf(scores)}/`;
  return [...bucketOf(scores).objects.keys()]
    .filter((key) => key.startsWith(prefix))
    .map((key) => key.slice(prefix.length).split('/')[0]!);
}
