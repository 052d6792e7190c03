import { join } from 'node:path';
import asl from 'asl-validator';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { PartitionStep } from '../../functions/partitionStep.ts';
import { handler as planHandler } from '../../functions/plan.ts';
import type { ChosenRun } from '../../functions/planRun.ts';
import type { StartExecution } from '../../lib/arrivals/arrivalRun.ts';
import { readArrivalState } from '../../lib/arrivals/arrivalState.ts';
import { noticeArrival } from '../../lib/arrivals/noticeArrival.ts';
import type { PartitionRun } from '../../lib/publish/partitionRun.ts';
import { publicationStatus } from '../../lib/publish/publishedState.ts';
import type { WorkUnit } from '../../lib/publish/workUnit.ts';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { publishedBits } from '../publish/publishedBits.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { changeJob, currentJob, setJob } from '../support/functions/jobVariable.ts';
import { putFolder } from '../support/s3/putFolder.ts';
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
/** Names are taken once, as in Step Functions. */
let runNumber = 0;
const stateMachineArn = 'arn:aws:states:eu-central-1:123456789012:stateMachine:scoring';
/** Names of partitions whose units fail, and how often each has been tried. */
let broken: Set<string>;
let tries: Map<string, number>;
let remainingMillis: () => number;
/** Partitions in the order in which their publication was tried, and what happens before each. */
let publications: string[];
let beforePublishing: (partition: string) => void;
let beforeScoring: () => void | Promise<void>;

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
  beforeScoring = () => {};
  const base = `s3://${s3.bucket}/${root}`;
  const model = `s3://${s3.bucket}/model`;
  setJob({ input: `${base}/features`, scores: `${base}/scores`, model, targetRows: 20 });
});

function land(partition: string, rows: number, name = 'a.parquet'): void {
  put(
    `${partition}/${name}`,
    Buffer.from(funnelShard(funnelRows(name === 'a.parquet' ? '2024-03-09' : '2024-03-10', rows), 20)),
  );
}
function put(name: string, bytes: Buffer): void {
  s3.double!.buckets.get(s3.bucket)!.put(`${root}/features/${name}`, bytes, {}, {});
}

const { functions, readJson, writeJson } = scoringRunServices(() => remainingMillis());
const services = {
  functions: {
    ...functions,
    score: async (payload: unknown) => {
      const { partition, parts } = payload as WorkUnit;
      const [part] = parts;
      const name = `${partition} ${'spans' in part! ? part.spans[0]!.firstRowGroup : part!.partId}`;
      tries.set(name, (tries.get(name) ?? 0) + 1);
      if (broken.has(partition))
        throw Object.assign(new Error('no memory left'), { name: 'Runtime.OutOfMemory' });
      await beforeScoring();
      return functions.score!(payload);
    },
    publish: async (payload: unknown) => {
      const { partition } = payload as PartitionRun;
      publications.push(partition);
      beforePublishing(partition);
      return functions.publish!(payload);
    },
  },
  readJson,
  writeJson,
};
const run = (partitions: object, from: Definition = scoringRun, input: unknown = { partitions }) =>
  runStateMachine(from, input, services, { name: `run-${runNumber++}`, stateMachineArn });
const published = async () =>
  (await publicationStatus(currentJob().scores)).map(({ partition, current }) => [partition, current.rows]);
/** Begins as Parquet does, and does not end like it. */
const BROKEN_SHARD = Buffer.from('PAR1 and nothing more');
const ALL = { kind: 'dates', from: '2024-03-01', to: '2024-03-31' };

describe.skipIf(process.env.NCS4CVR_TEST_S3_ENDPOINT !== undefined)('the state machine', () => {
  it('is valid Amazon States Language', () => {
    const { isValid, errorsText } = asl(scoringRun);
    expect(isValid, errorsText()).toBe(true);
  });

  it('is bounded: a day for a run, so many units at a time, tries and failures, and results of any size', () => {
    expect(scoringRun).toMatchObject({ TimeoutSeconds: 86_400 });
    const outer = mapsOf(scoringRun);
    const inner = outer.flatMap(([, map]) => mapsOf(map.ItemProcessor as Definition));
    expect(outer.map(([name]) => name)).toEqual(['RunPartitions']);
    expect(inner.map(([name]) => name)).toEqual(['ScoreUnits']);
    for (const [name, map] of [...outer, ...inner]) {
      expect(map, name).toMatchObject({
        ItemProcessor: { ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' } },
        ItemReader: { Resource: 'arn:aws:states:::s3:getObject' },
        // A map's results don't fit into a state's output: they go to S3, and the input goes on.
        ResultWriter: { Resource: 'arn:aws:states:::s3:putObject' },
        ResultPath: name === 'RunPartitions' ? '$.published' : '$.scored',
        MaxConcurrencyPath: name === 'RunPartitions' ? '$.run.partitionConcurrency' : '$.mapConcurrency',
        ToleratedFailurePercentage: 100,
      });
    }
    const machines = [scoringRun, ...[...outer, ...inner].map(([, map]) => map.ItemProcessor as Definition)];
    const tasks = machines.flatMap(({ States }) =>
      Object.values(States).filter(({ Type }) => Type === 'Task'),
    );
    expect(tasks).toHaveLength(6);
    expect(tasks.every(({ Retry }) => (Retry as unknown[]).length > 0)).toBe(true);
  });

  it('never scores more units at a time than are allowed, of all partitions together', async () => {
    const chosen = async (days: number, mapConcurrency: number) => {
      process.env.MAP_CONCURRENCY = String(mapConcurrency);
      for (let day = 1; day <= days; day++) land(`dt=2024-03-${String(day).padStart(2, '0')}`, 20);
      const run = `of-${days}-with-${mapConcurrency}`;
      const { items, partitionConcurrency } = (await planHandler({
        step: 'choose',
        request: { partitions: ALL },
        run,
      })) as ChosenRun;
      delete process.env.MAP_CONCURRENCY;
      const [first] = (await services.readJson(items.bucket, items.key)) as PartitionStep[];
      return [partitionConcurrency, first!.mapConcurrency];
    };
    expect(await chosen(1, 50)).toEqual([1, 50]);
    expect(await chosen(3, 50)).toEqual([3, 16]);
    expect(await chosen(12, 50)).toEqual([10, 5]);
    expect(await chosen(12, 4)).toEqual([4, 1]);
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
    // A unit of several parts, whose workers have time for one each.
    const units = (await services.readJson(s3.bucket, await unitsKey())) as WorkUnit[];
    const whole = {
      ...units[0]!,
      root: `${currentJob().scores}-again`,
      parts: units.flatMap(({ parts }) => parts),
    };
    remainingMillis = () => 1_000;
    tries.clear();
    const { StartAt, States } = scoreUnits().ItemProcessor;
    await runStateMachine({ StartAt, States }, whole, services);
    expect(tries.size).toBe(5);
    const parts = s3.double!.buckets.get(s3.bucket)!.keys(`${root}/scores-again/parts/`, '');
    expect(parts).toHaveLength(5);
  });

  it('plans a partition again that it had no time to plan to the end', async () => {
    land('dt=2024-03-09', 40);
    let calls = 0;
    const plan = async (payload: unknown) => {
      const planned = (await functions.plan!(payload)) as object;
      if ((payload as { step: string }).step !== 'planPartition' || calls++ > 1) return planned;
      return { ...planned, attempt: 0, isPlanned: false };
    };
    await runStateMachine(
      scoringRun,
      { partitions: ALL },
      { ...services, functions: { ...services.functions, plan } },
    );
    expect(calls).toBe(3);
    expect(await published()).toEqual([['dt=2024-03-09', 40]]);
  });

  it('goes on after failures; the partition that lacks a part is planned three times, not published, and the run fails', async () => {
    land('dt=2024-03-08', 20 * 25);
    land('dt=2024-03-09', 20);
    broken.add('dt=2024-03-09');
    const failure = await run(ALL).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(RunFailed);
    expect(failure).toMatchObject({ name: 'PartitionsNotPublished', state: 'NotAllPublished' });
    expect((failure as RunFailed).message).toContain('of 2 partitions, 1 failed, 0 timed out');
    // Four tries of the unit each time.
    expect(tries.get('dt=2024-03-09 0')).toBe(12);
    expect(publications.filter((partition) => partition === 'dt=2024-03-09')).toHaveLength(3);
    expect(await failures()).toEqual([
      [
        'PartitionIncomplete',
        '1 parts of dt=2024-03-09 are missing: units have failed, or the input has changed',
      ],
    ]);
    expect(await published()).toEqual([['dt=2024-03-08', 500]]);
    broken.clear();
    // A new run, not a redrive: the part must be scored first.
    tries.clear();
    await run(ALL);
    expect([...tries.keys()]).toEqual(['dt=2024-03-09 0']);
    expect(await published()).toEqual([
      ['dt=2024-03-08', 500],
      ['dt=2024-03-09', 20],
    ]);
  });

  it("publishes every other partition though all units of one fail, one has a broken shard, and one can't be planned", async () => {
    const partitions = ['dt=2024-03-05', 'dt=2024-03-06', 'dt=2024-03-07', 'dt=2024-03-08', 'dt=2024-03-09'];
    for (const partition of partitions) land(partition, 40);
    // Rows of the first would count twice.
    land('dt=2024-03-05/hour=01', 40);
    broken.add('dt=2024-03-07');
    put('dt=2024-03-08/b.parquet', BROKEN_SHARD);
    await expect(run(ALL)).rejects.toThrow(/of 5 partitions, 3 failed/);
    expect(new Map(await failures())).toEqual(
      new Map([
        ['Ncs4cvrError', expect.stringMatching(/PLAN_NESTED_PARTITION.*dt=2024-03-05/s)],
        ['PartitionIncomplete', expect.stringContaining('dt=2024-03-07')],
        [
          'PartitionRefused',
          expect.stringMatching(
            /^dt=2024-03-08 is refused by a gate: .*\/dt=2024-03-08\/b\.parquet, rows unknown/,
          ),
        ],
      ]),
    );
    expect(await published()).toEqual([
      ['dt=2024-03-06', 40],
      ['dt=2024-03-09', 40],
    ]);
  });

  it('that publishes a partition without a broken shard which its job tolerates fails all the same, and names the shard', async () => {
    changeJob({ tolerated: { brokenShards: 1 } });
    land('dt=2024-03-08', 40);
    land('dt=2024-03-09', 40);
    put('dt=2024-03-09/b.parquet', BROKEN_SHARD);
    const withoutIt = [
      'PartitionPublishedWithout',
      expect.stringMatching(
        /^dt=2024-03-09 is published without [^ ]*\/dt=2024-03-09\/b\.parquet, rows unknown: /,
      ),
    ];
    for (let i = 0; i < 2; i++) {
      await expect(run(ALL)).rejects.toMatchObject({
        name: 'PartitionsNotPublished',
        message: expect.stringContaining('of 2 partitions, 1 failed'),
      });
      expect((await failures()).at(-1)).toEqual(withoutIt);
      // Readers have the other shard's rows, and so they do after a run that finds them as they are.
      expect(await published()).toEqual([
        ['dt=2024-03-08', 40],
        ['dt=2024-03-09', 40],
      ]);
      const [, status] = await publicationStatus(currentJob().scores);
      expect(status!.generation).toBe(1);
    }
    // One more than is tolerated: what is visible stays.
    put('dt=2024-03-09/c.parquet', BROKEN_SHARD);
    await expect(run(ALL)).rejects.toMatchObject({ name: 'PartitionsNotPublished' });
    expect((await failures()).map(([name]) => name).sort()).toEqual([
      'PartitionPublishedWithout',
      'PartitionPublishedWithout',
      'PartitionRefused',
    ]);
    // Replaced, it is published with all of them, and all is well.
    land('dt=2024-03-09', 60, 'b.parquet');
    land('dt=2024-03-09', 60, 'c.parquet');
    await run(ALL);
    expect(await published()).toEqual([
      ['dt=2024-03-08', 40],
      ['dt=2024-03-09', 160],
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
      /of 3 partitions, 1 failed, .* see s3:\/\/[^ ]+\/runs\/[^ ]+\/manifest\.json and the map run arn:[^ ]+\/RunPartitions:/,
    );
    // Twice the same is refused twice.
    expect(publications.sort()).toEqual(partitions);
    expect(await failures()).toEqual([
      [
        'PartitionRefused',
        expect.stringMatching(
          /^dt=2024-03-07 is refused by a gate: .*expected 20 rows of a\.parquet, found 21/,
        ),
      ],
    ]);
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

  it('cuts a partition anew whose input changes while it is scored, and publishes what is there then', async () => {
    land('dt=2024-03-09', 40);
    beforePublishing = () => {
      if (publications.length === 1) land('dt=2024-03-09', 60, 'b.parquet');
    };
    await run(ALL);
    expect(publications).toHaveLength(2);
    expect(await published()).toEqual([['dt=2024-03-09', 100]]);
  });

  it('drops a shard that is replaced before it is scored: its partition is planned anew, and nobody tries in vain', async () => {
    land('dt=2024-03-09', 40);
    beforeScoring = () => {
      if (tries.size === 1) land('dt=2024-03-09', 60);
    };
    await run(ALL);
    expect([...tries.values()].every((count) => count <= 2)).toBe(true);
    expect(await published()).toEqual([['dt=2024-03-09', 60]]);
  });

  it('counts again when the count could not be had; a redrive does so too', async () => {
    land('dt=2024-03-09', 40);
    const { CountPublished, ...States } = scoringRun.States;
    const Parameters = { 'MapRunArn.$': '$.run.items.key' };
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
    const found = records
      .flat()
      .map(({ Status, Input }) => [Status, JSON.parse(Input)] as const)
      .map(
        ([status, input]) =>
          `${status} ${input.item === undefined ? 'unit' : 'partition'} of ${(input.item ?? input).partition}`,
      );
    expect(found.sort()).toEqual([
      'FAILED partition of dt=2024-03-09',
      ...Array(3).fill('FAILED unit of dt=2024-03-09'),
      'SUCCEEDED partition of dt=2024-03-08',
      ...Array(25).fill('SUCCEEDED unit of dt=2024-03-08'),
    ]);
    const outputs = records.flat().map(({ Output = '{}' }) => JSON.parse(Output));
    expect(outputs.filter(({ kind }) => kind === 'published')).toHaveLength(1);
    expect(outputs.filter(({ partsScored }) => partsScored === 1)).toHaveLength(25);
  });

  it('chooses again when it is redriven after that has failed', async () => {
    const failure = (await run({ kind: 'newest' }).catch((error: unknown) => error)) as RunFailed;
    expect(failure).toMatchObject({ state: 'Choose' });
    expect(failure.message).toContain('PLAN_NO_PARTITION');
    land('dt=2024-03-08', 100);
    await run(ALL, redriven(scoringRun, failure), failure.input);
    expect((await publishedBits(currentJob().scores, 'dt=2024-03-08')).size).toBe(100);
  });
});

describe.skipIf(process.env.NCS4CVR_TEST_S3_ENDPOINT !== undefined)('a run of arrivals', () => {
  const place = () => ({ root: currentJob().scores, partition: 'dt=2024-03-09' });
  let started: string[];
  const start: StartExecution = async (name) => {
    started.push(name);
    return 'running';
  };
  const stateOf = async () => (await readArrivalState(place())).state;
  beforeEach(async () => {
    started = [];
    land('dt=2024-03-09', 40);
    await noticeArrival(place(), { waitSeconds: 90, start });
  });
  const input = { arrival: { partition: 'dt=2024-03-09', round: 1, waitSeconds: 90 } };

  it('waits, publishes with what landed meanwhile, and ends its round', async () => {
    const waited: number[] = [];
    const wait = async (seconds: number) => {
      waited.push(seconds);
      land('dt=2024-03-09', 60, 'b.parquet');
      await noticeArrival(place(), { waitSeconds: 90, start });
    };
    await runStateMachine(scoringRun, input, { ...services, wait });
    expect(waited).toEqual([90]);
    expect(await published()).toEqual([['dt=2024-03-09', 100]]);
    expect(await stateOf()).toMatchObject({ round: 1, isRunning: false, isPending: false });
  });

  it('ends its round though the partition is not published', async () => {
    broken.add('dt=2024-03-09');
    await expect(run(ALL, scoringRun, input)).rejects.toMatchObject({ name: 'PartitionsNotPublished' });
    expect(await stateOf()).toMatchObject({ round: 1, isRunning: false });
  });

  it('scores with the model that is published while it runs', async () => {
    const { bundleUri } = await trainTinyModel(join(folder, 'other'), {
      config: { modelVersion: 'tiny-2', training: { seed: 9 } },
    });
    await putFolder(bundleUri, `s3://${s3.bucket}/other`);
    await runStateMachine(scoringRun, input, services);
    land('dt=2024-03-09', 60, 'b.parquet');
    let hasOvertaken = false;
    beforeScoring = async () => {
      if (hasOvertaken) return;
      hasOvertaken = true;
      await run(ALL, scoringRun, { partitions: ALL, modelUri: `s3://${s3.bucket}/other` });
    };
    await noticeArrival(place(), { waitSeconds: 90, start });
    await run(ALL, scoringRun, { arrival: { ...input.arrival, round: 2 } });
    const [status] = await publicationStatus(currentJob().scores);
    expect(status!.current).toMatchObject({ model: { version: 'tiny-2' }, rows: 100 });
  }, 120_000);
});

/** Names and causes of the partitions that the case's runs have failed on. */
async function failures(): Promise<(readonly [string, string])[]> {
  const keys = runRecords().filter((key) => key.startsWith(`${root}/`) && key.endsWith('/FAILED_0.json'));
  const records = (await Promise.all(keys.map((key) => services.readJson(s3.bucket, key)))).flat();
  return (records as { Input: string; Error: string; Cause: string }[])
    .filter(({ Input }) => JSON.parse(Input).item !== undefined)
    .map(({ Error: error, Cause }) => [error, Cause.replace(/^\w+: /, '')] as const);
}

const mapsOf = ({ States }: Definition) => Object.entries(States).filter(([, { Type }]) => Type === 'Map');
const scoreUnits = () => {
  const { ItemProcessor } = scoringRun.States.RunPartitions as unknown as { ItemProcessor: Definition };
  return ItemProcessor.States.ScoreUnits as unknown as { ItemProcessor: Definition };
};

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
const runRecords = () =>
  s3
    .double!.buckets.get(s3.bucket)!
    .keys('', '')
    .filter((key) => /\/runs\/.*\/[A-Z]+_0\.json$/.test(key));

/** Key of the units that the case's run has planned. */
async function unitsKey(): Promise<string> {
  const keys = s3.double!.buckets.get(s3.bucket)!.keys(`${root}/scores/plans/`, '');
  return keys.find((key) => key.endsWith('.units.json'))!;
}
