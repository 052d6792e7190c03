import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it, vi } from 'vitest';
import { handler as planHandler } from '../../functions/plan.ts';
import { readPrices } from '../../lib/estimate/readPrices.ts';
import { type UnitCost, unitCost } from '../../lib/estimate/unitCost.ts';
import type { UnitUsage } from '../../lib/publish/workUnit.ts';
import { mapProgress } from '../../lib/stateMachine/followExecution.ts';
import { openStepFunctions } from '../../lib/stateMachine/stepFunctions.ts';
import { publishedBits } from '../publish/publishedBits.ts';
import { changeJob } from '../support/functions/jobVariable.ts';
import { planWhole } from '../support/functions/planWhole.ts';
import { callMain } from './callMain.ts';
import {
  folder,
  functionsDo,
  land,
  only,
  plan,
  planFor,
  put,
  root,
  run,
  s3,
  sfn,
  uri,
} from './plansOnAws.ts';

describe.skipIf(process.env.NCS4CVR_TEST_S3_ENDPOINT !== undefined)('a plan started on AWS', () => {
  it('is published with the bits that the same plan gives on this machine', async () => {
    land('dt=2024-03-09', 300);
    land('dt=2024-03-10', 60, '2024-03-10');
    const local = join(folder, 'local');
    await planFor('dt=2024-03-09', local);
    expect((await callMain('run', '--plan', plan)).exitCode).toBe(0);
    await planFor('dt=2024-03-09');
    const { exitCode, stdout, stderr } = await run('--wait');
    expect(exitCode, stderr).toBe(0);
    const { executionArn, input } = only();
    expect(stdout).toBe(`${executionArn}\ndt=2024-03-09: 300 rows of tiny-1, generation 1\n`);
    const bits = await publishedBits(uri('scores'), 'dt=2024-03-09');
    expect(bits.size).toBe(300);
    expect(isDeepStrictEqual(bits, await publishedBits(local, 'dt=2024-03-09'))).toBe(true);
    // The plan, and not the newest partition; under its digest, which names the execution.
    const { planUri } = JSON.parse(input) as { planUri: string };
    const digest = /\/scores\/plans\/([0-9a-f]{64})\.json$/.exec(planUri)![1];
    expect(executionArn).toMatch(new RegExp(`:plan-${digest}$`));
    const status = await callMain('status', '--scores', uri('scores'));
    expect(status.stdout).not.toContain('dt=2024-03-10');
  });

  it('tells what its units have cost beside what was planned, and what of it is not counted', async () => {
    land('dt=2024-03-09', 60);
    await planFor('dt=2024-03-09');
    vi.stubEnv('AWS_LAMBDA_FUNCTION_MEMORY_SIZE', '2048');
    const { exitCode, stdout, stderr } = await run('--wait', '--json').finally(() => vi.unstubAllEnvs());
    expect(exitCode, stderr).toBe(0);
    const { cost } = JSON.parse(stdout) as {
      cost: { planned: { dollars: number }; actual: UnitCost };
    };
    const results = s3.double!.buckets.get(s3.bucket)!;
    const units = results
      .keys(`${root}/scores/runs/`, '')
      .filter((key) => key.endsWith('SUCCEEDED_0.json'))
      .flatMap((key) => JSON.parse(results.get(key)!.bytes.toString()) as { Output: string }[])
      .flatMap(({ Output }) => (JSON.parse(Output) as { usage?: UnitUsage }).usage ?? []);
    expect(units.length).toBeGreaterThan(0);
    expect(cost.actual).toEqual(unitCost(units, await readPrices()));
    expect(cost.actual.counted).toBe(units.length);
    expect(cost.planned.dollars).toBeGreaterThan(0);
    const { dollars } = cost.actual;
    expect(stderr).toContain(`cost: $${dollars.toFixed(4)}, planned $${cost.planned.dollars.toFixed(4)}; `);
    expect(stderr).toContain('failed calls, S3 requests');
  });

  it('is refused before anything starts when an input has changed since', async () => {
    land('dt=2024-03-09', 60);
    await planFor('dt=2024-03-09');
    land('dt=2024-03-09', 80);
    const { exitCode, stdout, stderr } = await run('--wait');
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toMatch(/^error: PLAN_STALE: .*\n {2}- s3:.*a\.parquet: planned for version/);
    expect(sfn.calls).toEqual([]);
    // What was read of the shards is remembered, and nothing else was written.
    const keys = s3.double!.buckets.get(s3.bucket)!.keys(`${root}/scores/`, '');
    expect(keys).toEqual([`${root}/scores/shapes/dt=2024-03-09.json`]);
  });

  it('is refused by the function when an input changes on the way', async () => {
    land('dt=2024-03-09', 60);
    await planFor('dt=2024-03-09');
    await run();
    await sfn.settled();
    land('dt=2024-03-09', 80);
    await expect(planWhole(planHandler, JSON.parse(only().input))).rejects.toThrow(/^PLAN_STALE/);
  });

  it('is one execution however often it is started while it runs', async () => {
    land('dt=2024-03-09', 100);
    await planFor('dt=2024-03-09');
    let open = () => {};
    functionsDo.scoreAfter = new Promise((resolve) => {
      open = resolve;
    });
    const [first, second] = [await run('--json'), await run('--json')];
    const { executionArn, planUri } = JSON.parse(first.stdout) as Record<string, string>;
    expect(planUri).toMatch(/\/scores\/plans\/[0-9a-f]{64}\.json$/);
    expect(second.stdout).toBe(first.stdout);
    expect(first.stderr).toContain(`\`ncs4cvr status --scores ${uri('scores')}\` shows`);
    expect(only()).toMatchObject({ executionArn, status: 'RUNNING' });
    // A third one follows what the first has started.
    const waiting = run('--wait', '--json');
    while (!sfn.calls.includes('DescribeMapRun')) await sleep(20);
    const client = await openStepFunctions(executionArn!);
    expect(await mapProgress(client, executionArn!)).toBe('RunPartitions 0/1');
    const counts = only().mapRuns.get('RunPartitions')!;
    counts.failed = 1;
    expect(await mapProgress(client, executionArn!)).toBe('RunPartitions 0/1, 1 failed');
    counts.failed = 0;
    open();
    const { exitCode, stdout } = await waiting;
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      executionArn,
      partitions: [{ partition: 'dt=2024-03-09', isAsPlanned: true, pointer: { generation: 1 } }],
    });
    only();
  });

  it('is refused when it has succeeded already; what is planned anew can be started', async () => {
    land('dt=2024-03-09', 60);
    await planFor('dt=2024-03-09');
    expect((await run('--wait')).exitCode).toBe(0);
    const again = await run('--wait');
    expect(again).toMatchObject({ exitCode: 1, stdout: '' });
    expect(again.stderr).toMatch(
      /^error: RUN_ALREADY_ENDED: arn:.*; plan again \(found SUCCEEDED\)\nwhat to do: /,
    );
    await planFor('dt=2024-03-09');
    expect((await run('--wait')).exitCode).toBe(0);
    expect(sfn.executions.size).toBe(2);
  });

  it('exits with 3 when the partition is held, and says so', async () => {
    land('dt=2024-03-09', 60);
    await planFor('dt=2024-03-09');
    await run('--wait');
    land('dt=2024-03-09', 80);
    await planFor('dt=2024-03-09');
    await run('--wait');
    const back = ['--scores', uri('scores'), '--partition', 'dt=2024-03-09', '--reason', 'pCVR too high'];
    expect((await callMain('rollback', ...back)).exitCode).toBe(0);
    await planFor('dt=2024-03-09');
    const held = await run('--wait');
    expect(held.exitCode).toBe(3);
    expect(held.stdout).toContain('60 rows of tiny-1, generation 3, held: pCVR too high\n');
    await planFor('dt=2024-03-09', uri('scores'), '--lift-hold');
    expect((await run('--wait')).stdout).toContain('80 rows of tiny-1, generation 4\n');
  });

  it('is refused by the function when it is for another output root or other inputs', async () => {
    land('dt=2024-03-09', 60);
    await planFor('dt=2024-03-09', uri('elsewhere'));
    const { exitCode, stderr } = await run('--wait');
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(
      /error: RUN_FAILED: arn:.*FAILED: ProblemsError: PLAN_OTHER_STAGE: .*\n {2}- expected a plan below s3:/,
    );
    changeJob({ input: uri('other-features') });
    await planFor('dt=2024-03-09');
    const other = await run('--wait');
    expect(other.stderr).toMatch(
      /PLAN_OTHER_STAGE: .*\n {2}- dt=2024-03-09: expected its shards in s3:.*other-/,
    );
    expect(s3.double!.buckets.get(s3.bucket)!.keys(`${root}/scores/parts/`, '')).toEqual([]);
  });

  it('is refused by the function when the bundle has been changed since', async () => {
    land('dt=2024-03-09', 60);
    const model = JSON.parse(readFileSync(join(folder, 'model/bundle/bundle.json'), 'utf8'));
    const putModel = () => put(`${root}/model/bundle.json`, Buffer.from(JSON.stringify(model)));
    putModel();
    await planFor('dt=2024-03-09', uri('scores'), '--model', uri('model'));
    model.files['model.onnx'].sha256 = '0'.repeat(64);
    putModel();
    const { exitCode, stderr } = await run('--wait');
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/PLAN_OTHER_MODEL: s3:.*\/model: .*found tiny-1, sha256 0{64}/);
  });

  it('is refused when it names files on this machine', async () => {
    land('dt=2024-03-09', 60);
    await planFor('dt=2024-03-09', join(folder, 'disk'));
    const { exitCode, stderr } = await run();
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^error: PLAN_NOT_IN_S3: .*plan\.json.*\n {2}- \/.*disk\nwhat to do: /s);
    expect(sfn.calls).toEqual([]);
  });

  it('tells of a state machine that is not there, and of a right that is missing', async () => {
    land('dt=2024-03-09', 60);
    await planFor('dt=2024-03-09');
    const missing = sfn.stateMachineArn.replace('scoring', 'other');
    const none = await callMain('run', '--plan', plan, '--state-machine', missing);
    expect(none.stderr).toMatch(/^error: RUN_NOT_FOUND: arn:.*:other: there is no such state machine/);
    sfn.forbidden = 'StartExecution';
    expect((await run()).stderr).toMatch(/^error: RUN_ACCESS_DENIED: .*states:StartExecution/);
  });

  it('is followed without the progress of its maps where that may not be read', async () => {
    land('dt=2024-03-09', 60);
    await planFor('dt=2024-03-09');
    sfn.forbidden = 'ListMapRuns';
    expect((await run('--wait')).exitCode).toBe(0);
  });
});
