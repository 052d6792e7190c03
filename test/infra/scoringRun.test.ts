import { join } from 'node:path';
import asl from 'asl-validator';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { publicationStatus } from '../../lib/publish/publishedState.ts';
import type { PublishRequest, WorkUnit } from '../../lib/publish/runPlan.ts';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { publishedBits } from '../publish/publishedBits.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { currentJob, setJob } from '../support/functions/jobVariable.ts';
import { putFolder } from '../support/s3/putFolder.ts';
import type { StoredObject } from '../support/s3/s3Bucket.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';
import {
  type Definition,
  RunFailed,
  redriven,
  runStateMachine,
} from '../support/stepFunctions/runStateMachine.ts';
import { scoringRun, scoringRunServices } from '../support/stepFunctions/scoringRun.ts';

// The state machine as it is deployed, with the functions in this process.
const s3 = testEndpoint();
const folder = temporaryFolder();
let root: string;
let caseNumber = 0;
/** Names of partitions whose units fail, and how often each has been tried. */
let broken: Set<string>;
let tries: Map<string, number>;
let remainingMillis: () => number;
/** Partitions in the order in which their publication was tried, and what happens before each. */
let publications: string[];
let beforePublishing: (partition: string) => void;

beforeAll(async () => {
  const { bundleUri } = await trainTinyModel(join(folder, 'model'));
  await putFolder(bundleUri, `s3://${s3.bucket}/model`);
}, 60_000);

beforeEach(() => {
  root = `case-${caseNumber++}`;
  broken = new Set();
  tries = new Map();
  remainingMillis = () => 600_000;
  publications = [];
  beforePublishing = () => {};
  const base = `s3://${s3.bucket}/${root}`;
  const model = `s3://${s3.bucket}/model`;
  setJob({ input: `${base}/features`, scores: `${base}/scores`, model, targetRows: 20 });
});

function land(partition: string, rows: number): void {
  const shard = funnelShard(funnelRows('2024-03-09', rows), 20);
  s3.double!.buckets.get(s3.bucket)!.put(
    `${root}/features/${partition}/a.parquet`,
    Buffer.from(shard),
    {},
    {},
  );
}

const { functions, readJson, writeJson } = scoringRunServices(() => remainingMillis());
const services = {
  functions: {
    ...functions,
    score: async (payload: unknown) => {
      const { partition, spans } = payload as WorkUnit;
      const name = `${partition} ${spans[0]!.firstRowGroup}`;
      tries.set(name, (tries.get(name) ?? 0) + 1);
      if (broken.has(partition))
        throw Object.assign(new Error('no memory left'), { name: 'Runtime.OutOfMemory' });
      return functions.score!(payload);
    },
    publish: async (payload: unknown) => {
      const { partition } = payload as PublishRequest;
      publications.push(partition);
      beforePublishing(partition);
      return functions.publish!(payload);
    },
  },
  readJson,
  writeJson,
};
const run = (partitions: object, from: Definition = scoringRun, input: unknown = { partitions }) =>
  runStateMachine(from, input, services);
const published = async () =>
  (await publicationStatus(currentJob().scores)).map(({ partition, current }) => [partition, current.rows]);
const ALL = { kind: 'dates', from: '2024-03-01', to: '2024-03-31' };

describe.skipIf(process.env.NCS4CVR_TEST_S3_ENDPOINT !== undefined)('the state machine', () => {
  it('is valid Amazon States Language', () => {
    const { isValid, errorsText } = asl(scoringRun);
    expect(isValid, errorsText()).toBe(true);
  });

  it('is bounded: a day for a run, so many units at a time, tries and failures, and results of any size', () => {
    expect(scoringRun).toMatchObject({ TimeoutSeconds: 86_400 });
    const maps = Object.entries(scoringRun.States).filter(([, { Type }]) => Type === 'Map');
    expect(maps.map(([name]) => name)).toEqual(['ScoreUnits', 'PublishPartitions']);
    for (const [name, map] of maps) {
      expect(map, name).toMatchObject({
        ItemProcessor: { ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' } },
        ItemReader: { Resource: 'arn:aws:states:::s3:getObject' },
        // A map's results don't fit into a state's output: they go to S3, and the input goes on.
        ResultWriter: { Resource: 'arn:aws:states:::s3:putObject', Parameters: { Prefix: 'runs' } },
        ResultPath: name === 'PublishPartitions' ? '$.published' : '$.scored',
      });
      const { States } = map.ItemProcessor as Definition;
      const tasks = Object.values(States).filter(({ Type }) => Type === 'Task');
      expect(tasks.every(({ Retry }) => (Retry as unknown[]).length > 0)).toBe(true);
    }
    expect(scoringRun.States.ScoreUnits).toMatchObject({
      MaxConcurrencyPath: '$.mapConcurrency',
      ToleratedFailurePercentage: 5,
    });
    expect(scoringRun.States.PublishPartitions).toMatchObject({
      MaxConcurrency: 10,
      ToleratedFailurePercentage: 100,
    });
  });

  it('scores every unit and publishes every partition; a second run has nothing to score', async () => {
    land('dt=2024-03-08', 100);
    land('dt=2024-03-09', 60);
    await run(ALL);
    expect(await published()).toEqual([
      ['dt=2024-03-08', 100],
      ['dt=2024-03-09', 60],
    ]);
    expect(tries.size).toBe(8);
    tries.clear();
    await run({ kind: 'newest' });
    expect(tries.size).toBe(0);
  });

  it('hands the rest of a unit on until nothing is left', async () => {
    land('dt=2024-03-09', 100);
    await run({ kind: 'newest' });
    // A unit of several spans, whose workers have time for one each.
    const units = (await services.readJson(s3.bucket, await unitsKey())) as WorkUnit[];
    const whole = {
      ...units[0]!,
      root: `${currentJob().scores}-again`,
      spans: units.flatMap(({ spans }) => spans),
    };
    remainingMillis = () => 1_000;
    tries.clear();
    const { ItemProcessor } = scoringRun.States.ScoreUnits as unknown as { ItemProcessor: Definition };
    const { StartAt, States } = ItemProcessor;
    await runStateMachine({ StartAt, States }, whole, services);
    expect(tries.size).toBe(5);
    const parts = s3.double!.buckets.get(s3.bucket)!.keys(`${root}/scores-again/parts/`, '');
    expect(parts).toHaveLength(5);
  });

  it('goes on after a tolerated failure; the partition that lacks a part is not published, and the run fails', async () => {
    land('dt=2024-03-08', 20 * 25);
    land('dt=2024-03-09', 20);
    broken.add('dt=2024-03-09');
    const failure = await run(ALL).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(RunFailed);
    expect(failure).toMatchObject({ name: 'PartitionsNotPublished', state: 'NotAllPublished' });
    expect((failure as RunFailed).message).toContain('of 2 partitions, 1 failed, 0 timed out');
    expect(tries.get('dt=2024-03-09 0')).toBe(4);
    // It might have been a shard that landed meanwhile and is being scored.
    expect(publications.filter((partition) => partition === 'dt=2024-03-09')).toHaveLength(4);
    expect(await published()).toEqual([['dt=2024-03-08', 500]]);
    broken.clear();
    land('dt=2024-03-09', 20);
    // A new run, not a redrive: the part must be scored first.
    tries.clear();
    await run(ALL);
    expect([...tries.keys()]).toEqual(['dt=2024-03-09 0']);
    expect(await published()).toEqual([
      ['dt=2024-03-08', 500],
      ['dt=2024-03-09', 20],
    ]);
  });

  it('tries every partition: one that a gate refuses leaves the others published, and the run fails with the count', async () => {
    const partitions = ['dt=2024-03-07', 'dt=2024-03-08', 'dt=2024-03-09'];
    for (const partition of partitions) land(partition, 40);
    let repair = () => {};
    beforePublishing = (partition) => {
      if (partition === 'dt=2024-03-07') repair = misstateReceipt(partition);
    };
    const failure = (await run(ALL).catch((error: unknown) => error)) as RunFailed;
    expect(failure).toMatchObject({ name: 'PartitionsNotPublished', state: 'NotAllPublished' });
    expect(failure.message).toMatch(
      /of 3 partitions, 1 failed, .* see s3:\/\/[^ ]+\/runs\/[^ ]+\/manifest\.json and the map run arn:[^ ]+\/PublishPartitions:/,
    );
    // Twice the same is refused twice.
    expect(publications.sort()).toEqual(partitions);
    expect(await published()).toEqual([
      ['dt=2024-03-08', 40],
      ['dt=2024-03-09', 40],
    ]);
    repair();
    beforePublishing = () => {};
    // The map has succeeded: a redrive enters the failed state alone.
    const redrive = run(ALL, redriven(scoringRun, failure), failure.input);
    await expect(redrive).rejects.toMatchObject({ message: failure.message });
    tries.clear();
    await run(ALL);
    expect(tries.size).toBe(0);
    expect(await published()).toEqual(partitions.map((partition) => [partition, 40]));
  });

  it('waits for a partition that a shard has landed in, until the queue has scored it', async () => {
    land('dt=2024-03-09', 40);
    const receipts = () => s3.double!.buckets.get(s3.bucket)!.keys(`${root}/scores/receipts/`, '');
    const { objects } = s3.double!.buckets.get(s3.bucket)!;
    const hidden = new Map<string, StoredObject>();
    beforePublishing = () => {
      if (publications.length === 1) {
        const key = receipts()[0]!;
        hidden.set(key, objects.get(key)!);
        objects.delete(key);
      } else if (publications.length === 3) {
        for (const [key, receipt] of hidden) objects.set(key, receipt);
      }
    };
    await run(ALL);
    expect(publications).toHaveLength(3);
    expect(await published()).toEqual([['dt=2024-03-09', 40]]);
  });

  it('counts again when the count could not be had; a redrive does so too', async () => {
    land('dt=2024-03-09', 40);
    const { CountPublished, ...States } = scoringRun.States;
    const Parameters = { 'MapRunArn.$': '$.publish.key' };
    const blind = {
      ...scoringRun,
      States: { ...States, CountPublished: { ...CountPublished!, Parameters } },
    };
    const failure = (await run(ALL, blind).catch((error: unknown) => error)) as RunFailed;
    expect(failure).toMatchObject({ name: 'Sfn.ResourceNotFoundException', state: 'CountPublished' });
    await run(ALL, redriven(scoringRun, failure), failure.input);
    expect(publications).toHaveLength(1);
  });

  it('writes what became of each unit and partition apart from what is published', async () => {
    land('dt=2024-03-08', 20 * 25);
    land('dt=2024-03-09', 20);
    broken.add('dt=2024-03-09');
    const before = new Set(runRecords());
    await expect(run(ALL)).rejects.toBeInstanceOf(RunFailed);
    const written = runRecords().filter((key) => !before.has(key));
    const records = (
      await Promise.all(written.map((key) => services.readJson(s3.bucket, key) as Promise<unknown>))
    ).filter((record) => Array.isArray(record)) as { Status: string; Input: string; Output?: string }[][];
    const found = records.flat().map(({ Status, Input }) => `${Status} ${JSON.parse(Input).partition}`);
    // Units, then partitions.
    expect(found.sort()).toEqual([
      ...Array(2).fill('FAILED dt=2024-03-09'),
      ...Array(26).fill('SUCCEEDED dt=2024-03-08'),
    ]);
    const outputs = records.flat().map(({ Output = '{}' }) => JSON.parse(Output));
    expect(outputs.filter(({ kind }) => kind === 'published')).toHaveLength(1);
    expect(outputs.filter(({ partsScored }) => partsScored === 1)).toHaveLength(25);
  });

  it('fails with nothing published when too many units fail, and a redrive goes on where it stopped', async () => {
    land('dt=2024-03-08', 100);
    land('dt=2024-03-09', 100);
    broken.add('dt=2024-03-09');
    const failure = (await run(ALL).catch((error: unknown) => error)) as RunFailed;
    expect(failure).toMatchObject({ name: 'States.ExceedToleratedFailureThreshold', state: 'ScoreUnits' });
    expect(await published()).toEqual([]);
    broken.clear();
    await run(ALL, redriven(scoringRun, failure), failure.input);
    expect(await published()).toEqual([
      ['dt=2024-03-08', 100],
      ['dt=2024-03-09', 100],
    ]);
    expect((await publishedBits(currentJob().scores, 'dt=2024-03-09')).size).toBe(100);
  });
});

/** Lets a partition's first receipt tell of a row more than there is. @returns puts it right */
function misstateReceipt(partition: string): () => void {
  const bucket = s3.double!.buckets.get(s3.bucket)!;
  const [key] = bucket.keys(`${root}/scores/receipts/${partition}/`, '');
  const { bytes } = bucket.get(key!);
  const receipt = JSON.parse(bytes.toString()) as { rows: number };
  bucket.put(key!, Buffer.from(JSON.stringify({ ...receipt, rows: receipt.rows + 1 })), {}, {});
  return () => bucket.put(key!, bytes, {}, {});
}

/** Keys of what maps have written of their items, of all cases. */
const runRecords = () => s3.double!.buckets.get(s3.bucket)!.keys('runs/', '');

/** Key of the units that the case's run has planned. */
async function unitsKey(): Promise<string> {
  const keys = s3.double!.buckets.get(s3.bucket)!.keys(`${root}/scores/plans/`, '');
  return keys.find((key) => key.endsWith('.units.json'))!;
}
