import { beforeEach, describe, expect, it } from 'vitest';
import { handler as arrivals } from '../../functions/arrivals.ts';
import { readAudit } from '../../lib/publish/audit.ts';
import { resolvePartition } from '../../lib/publish/publishedState.ts';
import { changeJob, currentJob } from '../support/functions/jobVariable.ts';
import { ALL, scoringRunScene } from './scoringRunScene.ts';

// The state machine as it is deployed, of a stage whose job reads a list of files.
const scene = scoringRunScene();

describe.skipIf(process.env.NCS4CVR_TEST_S3_ENDPOINT !== undefined)('a run of a list in S3', () => {
  let base: string;
  const list = (...names: readonly string[]) => {
    const entries = names.map((name) => ({ url: `${base}/${name}` }));
    scene.put('lists/tonight.manifest', Buffer.from(JSON.stringify({ entries })));
  };
  beforeEach(() => {
    base = currentJob().input;
    for (const day of ['dt=2024-03-08', 'dt=2024-03-09']) {
      scene.land(`table/${day}`, 40);
      scene.land(`table/${day}`, 60, 'dead.parquet');
    }
    scene.put('table/_delta_log/0.json', Buffer.from('{}'));
    list('table/dt=2024-03-08/a.parquet', 'table/dt=2024-03-09/a.parquet');
    changeJob({ input: `${base}/lists/tonight.manifest` });
  });

  it('publishes the newest day by night, and all in a backfill, with the files that it names and no other', async () => {
    await scene.run({ kind: 'newest' });
    expect(await scene.published()).toEqual([['dt=2024-03-09', 40]]);
    await scene.run(ALL);
    expect(await scene.published()).toEqual([
      ['dt=2024-03-08', 40],
      ['dt=2024-03-09', 40],
    ]);
  });

  it('that changes after a partition was planned publishes it as the new list has it, which stands on record', async () => {
    let tries = 0;
    scene.beforePublishing = () => {
      if (tries++ === 0) list('table/dt=2024-03-09/a.parquet', 'table/dt=2024-03-09/dead.parquet');
    };
    await scene.run({ kind: 'newest' });
    expect(await scene.published()).toEqual([['dt=2024-03-09', 100]]);
    const { scores, input } = currentJob();
    const first = await resolvePartition(scores, 'dt=2024-03-09');
    const { fileList } = await readAudit(scores, first.pointer.current.audit);
    expect(fileList).toEqual({ uri: input, sha256: expect.any(String) });
    list('table/dt=2024-03-09/dead.parquet');
    await scene.run({ kind: 'newest' });
    const second = await resolvePartition(scores, 'dt=2024-03-09');
    const audit = await readAudit(scores, second.pointer.current.audit);
    expect(audit.fileList!.sha256).not.toBe(fileList!.sha256);
  });

  it('that changes between the choice and the plan of a partition is refused', async () => {
    const functions = scene.services.functions as Record<string, (payload: unknown) => Promise<unknown>>;
    const plan = functions.plan!;
    const changed = async (payload: unknown) => {
      if ((payload as { step: string }).step === 'planPartition') list('table/dt=2024-03-09/dead.parquet');
      return plan(payload);
    };
    functions.plan = changed;
    await expect(scene.run({ kind: 'newest' })).rejects.toThrow();
    functions.plan = plan;
    expect(await scene.published()).toEqual([]);
    expect(JSON.stringify(await scene.failures())).toContain('PLAN_STALE');
  });

  it('names a file that is not there, and publishes the other days', async () => {
    list('table/dt=2024-03-08/gone.parquet', 'table/dt=2024-03-09/a.parquet');
    await expect(scene.run(ALL)).rejects.toThrow(/of 2 partitions, 1 failed/);
    expect(await scene.published()).toEqual([['dt=2024-03-09', 40]]);
    expect(JSON.stringify(await scene.failures())).toMatch(/gone\.parquet: there is no such file/);
  });

  it('is started by no event: the stage refuses them', async () => {
    process.env.STATE_MACHINE_ARN = 'arn:aws:states:eu-central-1:123456789012:stateMachine:scoring';
    const refused = { code: 'JOB_LIST_WITHOUT_EVENTS' };
    await expect(arrivals({ Records: [] })).rejects.toMatchObject(refused);
    const request = { arrival: { partition: 'dt=2024-03-09', round: 1, waitSeconds: 0 } };
    const choosing = scene.services.functions.plan!({ step: 'choose', request, run: 'arrived' });
    await expect(choosing).rejects.toMatchObject(refused);
  });
});
