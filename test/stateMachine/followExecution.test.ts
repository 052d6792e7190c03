import * as sdk from '@aws-sdk/client-sfn';
import { expect, it } from 'vitest';
import { followExecution } from '../../lib/stateMachine/followExecution.ts';
import type { StepFunctions } from '../../lib/stateMachine/stepFunctions.ts';
import { stoppedClock } from '../support/stoppedClock.ts';

const ARN = 'arn:aws:states:eu-central-1:1:execution:run:x';

/** Step Functions whose execution is described by `describe` at every look, and which knows no map. */
function stepFunctions(describe: (look: number) => object): StepFunctions {
  let look = 0;
  const send = async (command: object) =>
    command instanceof sdk.DescribeExecutionCommand
      ? { startDate: new Date(0), ...describe(look++) }
      : { mapRuns: [] };
  return { sdk, client: { send } as unknown as sdk.SFNClient };
}

it('looks soon at first, then about every ten seconds, until the run has ended', async () => {
  const clock = stoppedClock(0);
  const sfn = stepFunctions((look) => ({ status: look < 100 ? 'RUNNING' : 'SUCCEEDED' }));
  expect(await followExecution(sfn, ARN, { clock })).toMatchObject({ arn: ARN, status: 'SUCCEEDED' });
  expect(clock.pauses).toHaveLength(100);
  expect(clock.pauses[0]).toBeLessThan(750);
  expect(Math.max(...clock.pauses)).toBeLessThan(15_000);
  expect(Math.min(...clock.pauses.slice(20))).toBeGreaterThanOrEqual(5_000);
});

it('takes no answer from before the redrive for the end of it, unless it still is the answer after a minute', async () => {
  const before = { status: 'FAILED', redriveCount: 0, error: 'old' };
  const redriven = { status: 'SUCCEEDED', redriveCount: 1 };
  const soon = stepFunctions((look) => (look < 3 ? before : redriven));
  const options = { redriveCount: 1, clock: stoppedClock(0) };
  expect(await followExecution(soon, ARN, options)).toMatchObject(redriven);
  const clock = stoppedClock(0);
  const never = followExecution(
    stepFunctions(() => before),
    ARN,
    { redriveCount: 1, clock },
  );
  await expect(never).rejects.toMatchObject({ code: 'RUN_FAILED', found: 'FAILED: old' });
  expect(clock.nowMillis()).toBeGreaterThan(60_000);
});
