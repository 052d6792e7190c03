import { describe, expect, it } from 'vitest';
import type { ChosenRun } from '../../functions/chooseRun.ts';
import type { PartitionStep } from '../../functions/partitionStep.ts';
import { handler as planHandler } from '../../functions/plan.ts';
import { readAudit } from '../../lib/publish/audit.ts';
import { readBlocked } from '../../lib/publish/blockedPartition.ts';
import { publicationStatus } from '../../lib/publish/publishedState.ts';
import type { WorkUnit } from '../../lib/publish/workUnit.ts';
import { GATES_OFF_DOCUMENT } from '../fixtures/gatesOff.ts';
import { publishedBits } from '../publish/publishedBits.ts';
import { changeJob, currentJob } from '../support/functions/jobVariable.ts';
import { testLambda } from '../support/lambda/invokedFunction.ts';
import {
  type Definition,
  RunFailed,
  redriven,
  runStateMachine,
} from '../support/stepFunctions/runStateMachine.ts';
import { scoringRun } from '../support/stepFunctions/scoringRun.ts';
import { ALL, scoringRunScene } from './scoringRunScene.ts';

// The state machine as it is deployed, with the functions in this process.
const scene = scoringRunScene();
const lambda = testLambda();
/** Begins as Parquet does, and does not end like it. */
const BROKEN_SHARD = Buffer.from('PAR1 and nothing more');

describe.skipIf(process.env.NCS4CVR_TEST_S3_ENDPOINT !== undefined)('the state machine', () => {
  it('never scores more units at a time than are allowed, of all partitions together', async () => {
    const chosen = async (days: number, mapConcurrency: number) => {
      process.env.MAP_CONCURRENCY = String(mapConcurrency);
      for (let day = 1; day <= days; day++) scene.land(`dt=2024-03-${String(day).padStart(2, '0')}`, 20);
      const run = `of-${days}-with-${mapConcurrency}`;
      const { items, partitionConcurrency } = (await planHandler({
        step: 'choose',
        request: { partitions: ALL },
        run,
      })) as ChosenRun;
      delete process.env.MAP_CONCURRENCY;
      const [first] = (await scene.services.readJson(items.bucket, items.key)) as PartitionStep[];
      return [partitionConcurrency, first!.mapConcurrency];
    };
    expect(await chosen(1, 50)).toEqual([1, 50]);
    expect(await chosen(3, 50)).toEqual([3, 16]);
    expect(await chosen(12, 50)).toEqual([10, 5]);
    expect(await chosen(12, 4)).toEqual([4, 1]);
  });

  it('scores every unit and publishes every partition; a second run has nothing to score', async () => {
    scene.land('dt=2024-03-08', 100);
    scene.land('dt=2024-03-09', 60);
    await scene.run(ALL);
    expect(await scene.published()).toEqual([
      ['dt=2024-03-08', 100],
      ['dt=2024-03-09', 60],
    ]);
    expect(scene.tries.size).toBe(8);
    scene.tries.clear();
    await scene.run({ kind: 'newest' });
    expect(scene.tries.size).toBe(0);
  });

  it('hands the rest of a unit on until nothing is left', async () => {
    scene.land('dt=2024-03-09', 100);
    await scene.run({ kind: 'newest' });
    // A unit of several parts, whose workers have time for one each.
    const units = (await scene.services.readJson(scene.bucket, scene.unitsKey())) as WorkUnit[];
    const whole = {
      ...units[0]!,
      root: `${currentJob().scores}-again`,
      parts: units.flatMap(({ parts }) => parts),
    };
    scene.remainingMillis = () => 9_900;
    scene.tries.clear();
    const { StartAt, States } = scoreUnits().ItemProcessor;
    await runStateMachine({ StartAt, States }, whole, scene.services);
    expect(scene.tries.size).toBe(5);
    const parts = scene.double.buckets.get(scene.bucket)!.keys(`${scene.root}/scores-again/parts/`, '');
    expect(parts).toHaveLength(5);
  });

  it('plans a partition again that it had no time to plan to the end', async () => {
    scene.land('dt=2024-03-09', 40);
    let calls = 0;
    const plan = async (payload: unknown) => {
      const planned = (await scene.functions.plan!(payload)) as object;
      if ((payload as { step: string }).step !== 'planPartition' || calls++ > 1) return planned;
      return { ...planned, attempt: 0, isPlanned: false };
    };
    await runStateMachine(
      scoringRun,
      { partitions: ALL },
      { ...scene.services, functions: { ...scene.services.functions, plan } },
    );
    expect(calls).toBe(3);
    expect(await scene.published()).toEqual([['dt=2024-03-09', 40]]);
  });

  it('goes on after failures; the partition that lacks a part is planned three times, not published, and the run fails', async () => {
    scene.land('dt=2024-03-08', 20 * 25);
    scene.land('dt=2024-03-09', 20);
    scene.broken.add('dt=2024-03-09');
    const failure = await scene.run(ALL).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(RunFailed);
    expect(failure).toMatchObject({ name: 'PartitionsNotPublished', state: 'NotAllPublished' });
    expect((failure as RunFailed).message).toContain('of 2 partitions, 1 failed, 0 timed out');
    // Four tries of the unit each time.
    expect(scene.tries.get('dt=2024-03-09 0')).toBe(12);
    expect(scene.publications.filter((partition) => partition === 'dt=2024-03-09')).toHaveLength(3);
    expect(await scene.failures()).toEqual([
      [
        'PartitionIncomplete',
        '1 parts of dt=2024-03-09 are missing: units have failed, or the input has changed',
      ],
    ]);
    expect(await scene.published()).toEqual([['dt=2024-03-08', 500]]);
    scene.broken.clear();
    // A new run, not a redrive: the part must be scored first.
    scene.tries.clear();
    await scene.run(ALL);
    expect([...scene.tries.keys()]).toEqual(['dt=2024-03-09 0']);
    expect(await scene.published()).toEqual([
      ['dt=2024-03-08', 500],
      ['dt=2024-03-09', 20],
    ]);
  });

  it("publishes every other partition though all units of one fail, one has a broken shard, and one can't be planned", async () => {
    const partitions = ['dt=2024-03-05', 'dt=2024-03-06', 'dt=2024-03-07', 'dt=2024-03-08', 'dt=2024-03-09'];
    for (const partition of partitions) scene.land(partition, 40);
    // Rows of the first would count twice.
    scene.land('dt=2024-03-05/hour=01', 40);
    scene.broken.add('dt=2024-03-07');
    scene.put('dt=2024-03-08/b.parquet', BROKEN_SHARD);
    await expect(scene.run(ALL)).rejects.toThrow(/of 5 partitions, 3 failed/);
    expect(new Map(await scene.failures())).toEqual(
      new Map([
        ['Ncs4cvrError', expect.stringMatching(/PLAN_NESTED_PARTITION.*dt=2024-03-05/s)],
        ['PartitionIncomplete', expect.stringContaining('dt=2024-03-07')],
        [
          'PartitionRefused',
          expect.stringMatching(/^dt=2024-03-08 is refused: .*\/dt=2024-03-08\/b\.parquet, rows unknown/),
        ],
      ]),
    );
    expect(await scene.published()).toEqual([
      ['dt=2024-03-06', 40],
      ['dt=2024-03-09', 40],
    ]);
  });

  it('that publishes a partition without a broken shard which its job tolerates fails all the same, and names the shard', async () => {
    changeJob({ tolerated: { brokenShards: 1 } });
    scene.land('dt=2024-03-08', 40);
    scene.land('dt=2024-03-09', 40);
    scene.put('dt=2024-03-09/b.parquet', BROKEN_SHARD);
    const withoutIt = [
      'PartitionPublishedWithout',
      expect.stringMatching(
        /^dt=2024-03-09 is published without [^ ]*\/dt=2024-03-09\/b\.parquet, rows unknown: /,
      ),
    ];
    for (let i = 0; i < 2; i++) {
      await expect(scene.run(ALL)).rejects.toMatchObject({
        name: 'PartitionsNotPublished',
        message: expect.stringContaining('of 2 partitions, 1 failed'),
      });
      expect((await scene.failures()).at(-1)).toEqual(withoutIt);
      // Readers have the other shard's rows, and so they do after a run that finds them as they are.
      expect(await scene.published()).toEqual([
        ['dt=2024-03-08', 40],
        ['dt=2024-03-09', 40],
      ]);
      const [, status] = await publicationStatus(currentJob().scores);
      expect(status!.generation).toBe(1);
    }
    // One more than is tolerated: what is visible stays.
    scene.put('dt=2024-03-09/c.parquet', BROKEN_SHARD);
    await expect(scene.run(ALL)).rejects.toMatchObject({ name: 'PartitionsNotPublished' });
    expect((await scene.failures()).map(([name]) => name).sort()).toEqual([
      'PartitionPublishedWithout',
      'PartitionPublishedWithout',
      'PartitionRefused',
    ]);
    // Replaced, it is published with all of them, and all is well.
    scene.land('dt=2024-03-09', 60, 'b.parquet');
    scene.land('dt=2024-03-09', 60, 'c.parquet');
    await scene.run(ALL);
    expect(await scene.published()).toEqual([
      ['dt=2024-03-08', 40],
      ['dt=2024-03-09', 160],
    ]);
  });

  it('tries every partition: one that a gate refuses leaves the others published, and the run fails with the count', async () => {
    const partitions = ['dt=2024-03-07', 'dt=2024-03-08', 'dt=2024-03-09'];
    for (const partition of partitions) scene.land(partition, 40);
    let repair = () => {};
    scene.beforePublishing = (partition) => {
      if (partition === 'dt=2024-03-07') repair = scene.misstateReceipt(partition);
    };
    const failure = (await scene.run(ALL).catch((error: unknown) => error)) as RunFailed;
    expect(failure).toMatchObject({ name: 'PartitionsNotPublished', state: 'NotAllPublished' });
    expect(failure.message).toMatch(
      /of 3 partitions, 1 failed, .* see s3:\/\/[^ ]+\/runs\/[^ ]+\/manifest\.json and the map run arn:[^ ]+\/RunPartitions:/,
    );
    // Twice the same is refused twice.
    expect(scene.publications.sort()).toEqual(partitions);
    expect(await scene.failures()).toEqual([
      [
        'PartitionRefused',
        expect.stringMatching(/^dt=2024-03-07 is refused: .*expected 20 rows of a\.parquet, found 21/),
      ],
    ]);
    expect(await scene.published()).toEqual([
      ['dt=2024-03-08', 40],
      ['dt=2024-03-09', 40],
    ]);
    repair();
    scene.beforePublishing = () => {};
    // The map has succeeded: a redrive enters the failed state alone.
    const redrive = scene.run(ALL, redriven(scoringRun, failure), failure.input);
    await expect(redrive).rejects.toMatchObject({ message: failure.message });
    scene.tries.clear();
    await scene.run(ALL);
    expect(scene.tries.size).toBe(0);
    expect(await scene.published()).toEqual(partitions.map((partition) => [partition, 40]));
  });

  it("asks the job's function before anything is published, and keeps back what it says no to, on record", async () => {
    scene.land('dt=2024-03-08', 40);
    scene.land('dt=2024-03-09', 60);
    const audit = { function: 'scores-audit', timeoutSeconds: 5 };
    changeJob({ gates: { ...GATES_OFF_DOCUMENT, audit } });
    const passed = '{"passes":true,"found":1}';
    lambda.next.push({ body: passed }, { body: '{"passes":false,"reason":"shares moved"}' });
    await expect(scene.run(ALL)).rejects.toThrow('of 2 partitions, 1 failed');
    const asked = lambda.invocations.map(({ payload }) => payload as { root: string; partition: string });
    const { scores: root } = currentJob();
    expect(asked).toMatchObject([{ root }, { root }]);
    const [[published]] = (await scene.published()) as [[string, number]];
    expect(asked[0]!.partition).toBe(published);
    const held = asked[1]!.partition;
    expect(await scene.failures()).toEqual([
      [
        'PartitionRefused',
        `${held} is blocked by a gate: PUBLISH_GATE_BLOCKED: audit of scores-audit: shares moved`,
      ],
    ]);
    const { blocked } = await readBlocked(root, held);
    const { verdicts } = await readAudit(root, blocked!.publication.audit);
    expect(verdicts).toEqual([
      expect.objectContaining({ gate: 'audit', verdict: 'block', reason: 'shares moved' }),
    ]);
    lambda.answer = { body: passed };
    await scene.run(ALL);
    expect((await scene.published()).map(([partition]) => partition)).toContain(held);
    // What was published already isn't asked about again.
    expect(lambda.invocations).toHaveLength(3);
  });

  it('cuts a partition anew whose input changes while it is scored, and publishes what is there then', async () => {
    scene.land('dt=2024-03-09', 40);
    scene.beforePublishing = () => {
      if (scene.publications.length === 1) scene.land('dt=2024-03-09', 60, 'b.parquet');
    };
    await scene.run(ALL);
    expect(scene.publications).toHaveLength(2);
    expect(await scene.published()).toEqual([['dt=2024-03-09', 100]]);
  });

  it('drops a shard that is replaced before it is scored: its partition is planned anew, and nobody tries in vain', async () => {
    scene.land('dt=2024-03-09', 40);
    scene.beforeScoring = () => {
      if (scene.tries.size === 1) scene.land('dt=2024-03-09', 60);
    };
    await scene.run(ALL);
    expect([...scene.tries.values()].every((count) => count <= 2)).toBe(true);
    expect(await scene.published()).toEqual([['dt=2024-03-09', 60]]);
  });

  it('counts again when the count could not be had; a redrive does so too', async () => {
    scene.land('dt=2024-03-09', 40);
    const { CountPublished, ...States } = scoringRun.States;
    const Parameters = { 'MapRunArn.$': '$.run.items.key' };
    const blind = {
      ...scoringRun,
      States: { ...States, CountPublished: { ...CountPublished!, Parameters } },
    };
    const failure = (await scene.run(ALL, blind).catch((error: unknown) => error)) as RunFailed;
    expect(failure).toMatchObject({ name: 'Sfn.ResourceNotFoundException', state: 'CountPublished' });
    await scene.run(ALL, redriven(scoringRun, failure), failure.input);
    expect(scene.publications).toHaveLength(1);
  });

  it('writes what became of each unit and partition apart from what is published', async () => {
    scene.land('dt=2024-03-08', 20 * 25);
    scene.land('dt=2024-03-09', 20);
    scene.broken.add('dt=2024-03-09');
    const before = new Set(scene.runRecords());
    await expect(scene.run(ALL)).rejects.toBeInstanceOf(RunFailed);
    const written = scene.runRecords().filter((key) => !before.has(key));
    const records = (
      await Promise.all(written.map((key) => scene.services.readJson(scene.bucket, key) as Promise<unknown>))
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
    const failure = (await scene.run({ kind: 'newest' }).catch((error: unknown) => error)) as RunFailed;
    expect(failure).toMatchObject({ state: 'Choose' });
    expect(failure.message).toContain('PLAN_NO_PARTITION');
    scene.land('dt=2024-03-08', 100);
    await scene.run(ALL, redriven(scoringRun, failure), failure.input);
    expect((await publishedBits(currentJob().scores, 'dt=2024-03-08')).size).toBe(100);
  });
});

const scoreUnits = () => {
  const { ItemProcessor } = scoringRun.States.RunPartitions as unknown as { ItemProcessor: Definition };
  return ItemProcessor.States.ScoreUnits as unknown as { ItemProcessor: Definition };
};
