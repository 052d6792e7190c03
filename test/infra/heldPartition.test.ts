import { beforeEach, describe, expect, it } from 'vitest';
import { rollBack } from '../../lib/publish/rollBack.ts';
import { currentJob } from '../support/functions/jobVariable.ts';
import { runStateMachine } from '../support/stepFunctions/runStateMachine.ts';
import { scoringRun } from '../support/stepFunctions/scoringRun.ts';
import { ALL, scoringRunScene } from './scoringRunScene.ts';

// The state machine as it is deployed, with the functions in this process.
const scene = scoringRunScene();

describe.skipIf(process.env.NCS4CVR_TEST_S3_ENDPOINT !== undefined)('the state machine', () => {
  /** Published twice, rolled back to the first of these, and landed anew since. */
  beforeEach(async () => {
    scene.land('dt=2024-03-09', 40);
    await scene.run(ALL);
    scene.land('dt=2024-03-09', 60);
    await scene.run(ALL);
    await rollBack(currentJob().scores, 'dt=2024-03-09', 'pCVR is off');
    scene.land('dt=2024-03-09', 80);
  });

  it('scores nothing of a partition that is held, until a run lifts the hold', async () => {
    scene.tries.clear();
    await scene.run(ALL);
    await scene.run(ALL, scoringRun, { arrival: { partition: 'dt=2024-03-09', round: 1, waitSeconds: 0 } });
    expect(scene.tries.size).toBe(0);
    expect(scene.publications).toHaveLength(4);
    expect(await scene.published()).toEqual([['dt=2024-03-09', 40]]);
    await scene.run(ALL, scoringRun, { partitions: ALL, liftHold: true });
    expect(await scene.published()).toEqual([['dt=2024-03-09', 80]]);
  });

  it('scores what a hold has kept back that is lifted while the run goes on', async () => {
    let isLifted = false;
    const plan = async (payload: unknown) => {
      const planned = await scene.services.functions.plan!(payload);
      if ((payload as { step: string }).step === 'planPartition' && !isLifted) {
        isLifted = true;
        await scene.run(ALL, scoringRun, { partitions: ALL, liftHold: true });
        scene.land('dt=2024-03-09', 100);
      }
      return planned;
    };
    const functions = { ...scene.services.functions, plan };
    await runStateMachine(scoringRun, { partitions: ALL }, { ...scene.services, functions });
    expect(await scene.published()).toEqual([['dt=2024-03-09', 100]]);
  });
});
