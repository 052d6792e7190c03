import { describe, expect, it } from 'vitest';
import { publishedBits } from '../publish/publishedBits.ts';
import { callMain } from './callMain.ts';
import { functionsDo, land, only, planFor, redrive, run, sfn, uri } from './plansOnAws.ts';

describe.skipIf(process.env.NCS4CVR_TEST_S3_ENDPOINT !== undefined)('a run that failed', () => {
  it('is told with its cause, and ends published when it is redriven', async () => {
    land('dt=2024-03-09', 100);
    await planFor('dt=2024-03-09');
    functionsDo.failToPlan = true;
    const failed = await run('--wait');
    expect(failed.exitCode).toBe(1);
    expect(failed.stderr).toMatch(/error: RUN_FAILED: .*FAILED: Runtime\.OutOfMemory: no memory left/s);
    const again = await run();
    expect(again.stderr).toMatch(/^error: RUN_ALREADY_ENDED: .*`redrive` continues where it stopped/);
    functionsDo.failToPlan = false;
    const { exitCode, stdout, stderr } = await redrive('--wait');
    expect(exitCode, stderr).toBe(0);
    const { executionArn, redriveCount, mapRuns } = only();
    expect(stdout).toBe(`${executionArn}\n`);
    expect(stderr).toMatch(
      /^started .*"planUri":.*\nended .*: FAILED: Runtime\.OutOfMemory.*\nredriving it\n/s,
    );
    expect(redriveCount).toBe(1);
    expect(mapRuns.get('RunPartitions')).toEqual({ total: 1, succeeded: 1, failed: 0 });
    expect((await publishedBits(uri('scores'), 'dt=2024-03-09')).size).toBe(100);
  });

  it('is the one that ended last of those that can be redriven', async () => {
    land('dt=2024-03-09', 40);
    functionsDo.failToPlan = true;
    for (const rows of ['20', '40', '60']) {
      await planFor('dt=2024-03-09', uri('scores'), '--target-rows', rows);
      expect((await run('--wait')).exitCode).toBe(1);
    }
    const [, second, third] = [...sfn.executions.values()];
    second!.status = 'ABORTED';
    third!.stopDate! -= 15 * 86_400;
    functionsDo.failToPlan = false;
    expect((await redrive('--wait', '--json')).stdout).toMatch(
      new RegExp(`^{"executionArn":"${second!.executionArn}","redriveDate":".*Z"}\n$`),
    );
    expect(second).toMatchObject({ status: 'SUCCEEDED', redriveCount: 1 });
  });

  it('gets a successor when it is too old to be redriven and the plan is started again', async () => {
    land('dt=2024-03-09', 40);
    await planFor('dt=2024-03-09');
    functionsDo.failToPlan = true;
    await run('--wait');
    only().stopDate! -= 15 * 86_400;
    const late = await redrive();
    expect(late.exitCode).toBe(1);
    expect(late.stderr).toMatch(
      /^error: RUN_NOT_REDRIVABLE: .*Execution redrivable period exceeded\)\nwhat to do: /,
    );
    functionsDo.failToPlan = false;
    const { exitCode, stdout } = await run('--wait');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^arn:.*:plan-[0-9a-f]{64}-2\ndt=2024-03-09: 40 rows/);
  });

  it('gets a successor, not a redrive, when it has tried every partition', async () => {
    land('dt=2024-03-09', 40);
    await planFor('dt=2024-03-09');
    functionsDo.refuse = true;
    const failed = await run('--wait');
    expect(failed.stderr).toMatch(/error: RUN_FAILED: .*PartitionsNotPublished: of 1 partitions, 1 failed/s);
    const late = await redrive();
    expect(late.exitCode).toBe(1);
    expect(late.stderr).toMatch(/^error: RUN_NOT_REDRIVABLE: .*fix the cause and start a new run/);
    expect(sfn.calls).not.toContain('RedriveExecution');
    functionsDo.refuse = false;
    const { exitCode, stdout } = await run('--wait');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^arn:.*:plan-[0-9a-f]{64}-2\ndt=2024-03-09: 40 rows/);
  });

  it('is refused a redrive when it has not failed, or is not there', async () => {
    const none = await redrive();
    expect(none).toMatchObject({ exitCode: 1, stdout: '' });
    expect(none.stderr).toMatch(/^error: RUN_NOT_REDRIVABLE: .*no failed, timed out or aborted run/);
    land('dt=2024-03-09', 40);
    await planFor('dt=2024-03-09');
    await run('--wait');
    const { executionArn } = only();
    const done = await callMain('redrive', '--execution', executionArn);
    expect(done.stderr).toMatch(
      /^error: RUN_NOT_REDRIVABLE: .*Execution is SUCCEEDED and cannot be redriven/,
    );
    const unknown = await callMain('redrive', '--execution', `${executionArn}0`);
    expect(unknown.stderr).toMatch(/^error: RUN_NOT_FOUND: .*there is no such execution/);
    expect(sfn.calls).not.toContain('RedriveExecution');
  });
});
