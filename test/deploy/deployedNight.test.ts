import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual, promisify } from 'node:util';
import { tableFromIPC } from 'apache-arrow';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { type TinyModel, trainTinyModel } from '../fixtures/tinyModel.ts';
import { filesBelow } from '../scoring/filesBelow.ts';
import { scoreBits, tableBits } from '../scoring/readScores.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { Deployment, STATE_MACHINE } from './deployment.ts';

// The packaged stack, deployed to moto's server: its CloudFormation, its S3, its SQS with S3's notifications, and its interpreter of
// the Amazon States Language were written by others, and so judge what this project's own doubles may be wrong about. The
// packaged functions run under Lambda's runtime on Node 24.
//
// What moto 5.2 lacks, and what stands in for it here:
// - Its CloudFormation passes over alarms, bucket and queue policies, the schedule (test/infra asserts them on the packaged
//   template), a bucket's notifications (deployStack.py sets them, from the template), and a state machine's `Definition` with its
//   substitutions: the machine is made anew from the packaged definition, under its name and role, by its API.
// - `ToleratedFailurePercentage` must have a fraction: 100 is written as 100.0 (motoDefinition.ts).
// - The parameters of a ResultWriter are evaluated on the map's result: bucket and prefix are written out, also those of the map
//   within the map (motoDefinition.ts). Its manifest names no result files.
// - The context object's time of the start is no text of ISO 8601: a run is recorded with the time at which its machine was made.
// - It sends no status change of an execution to EventBridge's rules: test/functions/eventPath.test.ts has that way.
// - DescribeMapRun has the names of the API, `mapRunArn` and `itemCounts.succeeded`, where Step Functions has `MapRunArn` and
//   `ItemCounts.Succeeded`: parameter and ResultSelector are translated (motoDefinition.ts). The counts are moto's own; items
//   that end in a state of type Fail are among the succeeded ones.
// - Functions are invoked by Docker or not at all, and a queue's mapping invokes while a message is sent: the mapping is read and
//   disabled, and the test polls by it; Invoke is answered at the front door (frontDoor.ts) by the packaged function. A
//   function has one environment, so its concurrency is one; there are no batching windows.
// - IAM isn't enforced: the front door asks the deployed roles about every request of functions, pollers and state machine, and
//   refuses what they don't allow. What Lambda and Step Functions do beside them (logs, traces, starting children) is not asked about.
// - It has no name in DNS: queue URLs get the front door's origin.
// - Executions can't be redriven: the run is repeated instead.
// - Checksums aren't checked, and of concurrent uploads in many pieces on condition of absence all win.

const NEWEST = 'dt=2024-03-09';
/** What moto passes over, by type. */
const LACKING = [
  'AWS::CloudWatch::Alarm',
  'AWS::S3::BucketPolicy',
  'AWS::SQS::QueuePolicy',
  'AWS::Scheduler::Schedule',
];
const folder = temporaryFolder();
let deployed: Deployment;
let model: TinyModel;

beforeAll(async () => {
  model = await trainTinyModel(folder);
  deployed = await Deployment.start(folder);
  await cli('promote', model.bundleUri, '--models', `s3://${deployed.bucket('Models')}`, '--channel', 'live');
});
afterAll(() => deployed?.stop());
beforeEach(() => deployed.door.forget());

it('the whole template is deployed, with these zips, but for the types that moto lacks', () => {
  const { stack, template } = deployed;
  expect(stack.status).toBe('UPDATE_COMPLETE');
  const missing = Object.entries(template).filter(([name]) => !(name in stack.resources));
  expect([...new Set(missing.map(([, { Type }]) => Type))].sort()).toEqual(LACKING);
  for (const { FunctionName, CodeSha256 } of Object.values(stack.functions)) {
    const zip = new URL(`../../build/x64/${FunctionName.split('-').at(-1)}.zip`, import.meta.url);
    expect(CodeSha256).toBe(createHash('sha256').update(readFileSync(zip)).digest('base64'));
  }
});

describe('with the rights of the deployed roles alone', () => {
  afterEach(() => expect(deployed.door.complaints).toEqual([]));

  it('the nightly run publishes the newest partition, and again it changes nothing', async () => {
    await land('dt=2024-03-08', { 'older.parquet': 60 });
    const local = await land(NEWEST, { 'a.parquet': 250, 'b b.parquet': 130 });
    const { Input } = (deployed.template.NightlySchedule!.Properties!.Target ?? {}) as { Input: string };

    expect(await deployed.run(Input)).toMatchObject({ status: 'SUCCEEDED', error: '' });
    const first = await resolve(NEWEST);
    expect(first.pointer.generation).toBe(1);
    await expectScores(NEWEST, local);
    const used = deployed.door.used.filter(({ caller }) => caller === STATE_MACHINE);
    expect(new Set(used.map(({ action }) => action))).toEqual(
      new Set(['lambda:InvokeFunction', 's3:GetObject', 's3:PutObject', 'states:DescribeMapRun']),
    );
    const units = used.filter(({ resource }) => resource.endsWith('-score')).length;
    expect(units).toBeGreaterThan(2);

    // An invocation that fails is tried again, and may be passed over in the end, as that which records the run: in a test that waits.
    for (const [name, { logLines }] of Object.entries(deployed.functions)) {
      expect(
        logLines.filter((line) => line.includes('Invoke Error')),
        name,
      ).toEqual([]);
    }

    const told = () => deployed.door.used.filter(({ action }) => action === 'events:PutEvents');
    expect(told()).toMatchObject([{ caller: 'publish', isGranted: true }]);

    const before = await deployed.published();
    const again = await deployed.run(Input);
    expect(again).toMatchObject({ status: 'SUCCEEDED', error: '' });
    const after = deployed.door.used.filter(({ caller }) => caller === STATE_MACHINE);
    expect(after.filter(({ resource }) => resource.endsWith('-score')).length).toBe(units);
    expect(told()).toHaveLength(1);
    expect(await resolve(NEWEST)).toEqual(first);
    expect(await deployed.published()).toEqual(before);
  });

  it('a shard that lands is published by a run that its event starts, and the next one by the next run', async () => {
    await deployed.createMachine();
    const partition = 'dt=2024-03-07';
    const local = await land(partition, { 'late shard.parquet': 220 });
    expect(await deployed.deliverAll()).toEqual([]);
    await expectScores(partition, local);
    for (const queue of ['EventsQueue', 'EventsDeadLetters']) {
      expect(await deployed.waiting(queue), queue).toBe(0);
    }
    expect(deployed.door.used).toContainEqual(
      expect.objectContaining({ caller: 'arrivals', action: 'states:StartExecution', isGranted: true }),
    );
    // It makes the partition's second generation.
    await land(partition, { 'later.parquet': 70 });
    expect(await deployed.deliverAll()).toEqual([]);
    await expectScores(partition, local);
    expect((await resolve(partition)).pointer.generation).toBe(2);
    // Two of them for the events of the shards that the nightly run had published already.
    expect(await deployed.arrivals()).toEqual(Array(4).fill('SUCCEEDED'));
  });

  it("the stage's audit function is asked by the publish function, and what it says no to stays unpublished", async () => {
    const partition = 'dt=2024-03-03';
    const local = await land(partition, { 'a.parquet': 50 });
    const asked: unknown[] = [];
    const request = JSON.stringify({ partitions: { kind: 'one', partition } });
    deployed.audit = (event) => {
      asked.push(event);
      return { passes: false, reason: 'shares moved' };
    };
    try {
      await deployed.run(request);
    } finally {
      deployed.audit = () => ({ passes: true });
    }
    const manifestUri = expect.stringMatching(`^${scoresUri()}/manifests/${partition}/`);
    expect(asked).toEqual([{ root: scoresUri(), partition, manifestUri }]);
    expect(deployed.door.used).toContainEqual({
      ...{ caller: 'publish', action: 'lambda:InvokeFunction', isGranted: true },
      resource: expect.stringMatching(/:function:scores-audit$/),
    });
    expect([...(await deployed.published()).keys()]).not.toContain(`pointers/${partition}.json`);
    expect(await deployed.run(request)).toMatchObject({ status: 'SUCCEEDED' });
    await expectScores(partition, local);
  });

  it('what is pending when a round ends is published by the next run, which the plan function starts', async () => {
    const stateMachineArn = await deployed.createMachine();
    const partition = 'dt=2024-03-04';
    const local = await land(partition, { 'a.parquet': 70 });
    const state = { formatVersion: 1, partition, round: 7, waitSeconds: 1, isRunning: true, isPending: true };
    const key = `arrivals/${partition}.json`;
    await deployed.put(deployed.bucket('Scores'), key, Buffer.from(JSON.stringify(state)));
    const arrival = { partition, round: 7, waitSeconds: 1 };
    await deployed.invoke('plan', { step: 'finishArrival', arrival, stateMachineArn });
    expect(deployed.door.used).toContainEqual(
      expect.objectContaining({ caller: 'plan', action: 'states:StartExecution', isGranted: true }),
    );
    expect(await deployed.deliverAll()).toEqual([]);
    await expectScores(partition, local);
  });
});

describe('this test sees', () => {
  it('a right that the score role lacks', async () => {
    const all = deployed.roles.get('score')!;
    deployed.roles.set(
      'score',
      all.map((each) => ({
        ...each,
        Action: [each.Action].flat().filter((name) => name !== 's3:PutObject'),
      })),
    );
    try {
      await land('dt=2024-03-06', { 'a.parquet': 50 });
      const request = JSON.stringify({ partitions: { kind: 'one', partition: 'dt=2024-03-06' } });
      await expect(deployed.run(request)).rejects.toThrow(
        /^the run score lacks s3:PutObject on arn:aws:s3:::ncs4cvr-prod-scoresbucket-\w+\/parts\//,
      );
    } finally {
      deployed.roles.set('score', all);
    }
  });

  it('a result of the map that takes the place of the run, as without a path', async () => {
    await land('dt=2024-03-05', { 'a.parquet': 50 });
    const { definition } = deployed;
    const { ResultPath, ...RunPartitions } = definition.States.RunPartitions!;
    expect(ResultPath).toBeDefined();
    const request = { partitions: { kind: 'one', partition: 'dt=2024-03-05' } };
    // Not tried again: the wait would be a minute.
    const CountPublished = { ...definition.States.CountPublished!, Retry: [] };
    const States = { ...definition.States, RunPartitions, CountPublished };
    const changed = { ...definition, States };
    const { status, states } = await deployed.run(JSON.stringify(request), changed as never, '-without');
    expect({ status, last: states.at(-1) }).toEqual({ status: 'FAILED', last: 'CountPublished' });
  });
});

/** Uploads shards as upstream does, and keeps them. @returns the folder of the partition on disk */
async function land(partition: string, shards: Readonly<Record<string, number>>): Promise<string> {
  const local = join(folder, 'landed', partition);
  mkdirSync(local, { recursive: true });
  for (const [name, count] of Object.entries(shards)) {
    // Row groups of 60; every shard has impressions of its own.
    const rows = funnelRows(partition.slice('dt='.length), 1_000).slice(filesBelow(local).length * 300);
    const bytes = funnelShard(rows.slice(0, count), 60);
    writeFileSync(join(local, name), bytes);
    await deployed.put(deployed.bucket('Features'), `${partition}/${name}`, bytes);
  }
  return local;
}

/** The published scores have the bits that `score` gives on the same files here, row for row. */
async function expectScores(partition: string, local: string): Promise<void> {
  const output = join(folder, 'scored', partition);
  await cli('score', '--model', model.bundleUri, '--input', local, '--output', output);
  const wanted = new Map(filesBelow(output).flatMap((name) => [...scoreBits(join(output, name))]));
  const found = new Map<bigint, string>();
  const lines = await cli('resolve', '--scores', scoresUri(), '--partition', partition);
  for (const uri of lines.trim().split('\n')) {
    for (const [id, bits] of tableBits(tableFromIPC(await deployed.get(uri)))) {
      expect(found.has(id), 'a row is in one part only').toBe(false);
      found.set(id, bits);
    }
  }
  expect(found.size).toBe(wanted.size);
  expect(isDeepStrictEqual(found, wanted), 'exactly these rows with these bits').toBe(true);
}

async function resolve(partition: string): Promise<{ pointer: { generation: number } }> {
  return JSON.parse(await cli('resolve', '--scores', scoresUri(), '--partition', partition, '--json'));
}

function scoresUri(): string {
  return `s3://${deployed.bucket('Scores')}`;
}

/** The command as an operator calls it. @returns what it printed */
async function cli(...args: readonly string[]): Promise<string> {
  const main = new URL('../../dist/lib/cli/main.js', import.meta.url).pathname;
  const env = {
    ...process.env,
    AWS_ENDPOINT_URL_S3: deployed.moto.endpoint,
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'operator',
    AWS_SECRET_ACCESS_KEY: 'operator',
  };
  return (await promisify(execFile)(process.execPath, [main, ...args], { env })).stdout;
}
