import { setTimeout as sleep } from 'node:timers/promises';
import { RunError } from '../errors.ts';
import { describeEnd, describeExecution, type Execution, isRunning } from './execution.ts';
import { mapProgress } from './mapProgress.ts';
import type { StepFunctions } from './stepFunctionsClient.ts';
import { isServiceError } from './stepFunctionsError.ts';

export interface FollowOptions {
  /** How often it has been redriven, the redrive to be followed included. */
  readonly redriveCount?: number;
  /** Called about once a look: how far the current map is, if that is known. */
  readonly onProgress?: (seconds: number, maps: string | undefined) => void;
}

const FIRST_PAUSE_MILLIS = 500;
const LONGEST_PAUSE_MILLIS = 10_000;
const PAUSE_GROWTH = 1.3;
/** For so long, an answer may be of the moment before the start or the redrive. */
const SETTLE_MILLIS = 60_000;

/**
 * Waits until an execution has ended, however long it takes.
 * @throws RunError RUN_FAILED with status, error and cause unless it has succeeded
 */
export async function followExecution(
  sfn: StepFunctions,
  arn: string,
  { redriveCount = 0, onProgress }: FollowOptions = {},
): Promise<Execution> {
  const startMillis = performance.now();
  let pauseMillis = FIRST_PAUSE_MILLIS;
  for (;;) {
    const elapsedMillis = performance.now() - startMillis;
    const hasSettled = elapsedMillis > SETTLE_MILLIS;
    const execution = await describeExecution(sfn, arn).catch((error: unknown) => {
      if (hasSettled || !isServiceError(error, 'ExecutionDoesNotExist')) throw error;
      return undefined;
    });
    const isCurrent = execution !== undefined && (hasSettled || execution.redriveCount >= redriveCount);
    if (isCurrent && !isRunning(execution)) {
      if (execution.status === 'SUCCEEDED') return execution;
      throw new RunError('RUN_FAILED', 'the run has ended without publishing everything', {
        file: arn,
        found: describeEnd(execution),
      });
    }
    onProgress?.(elapsedMillis / 1000, await mapProgress(sfn, arn));
    await sleep(pauseMillis);
    pauseMillis = Math.min(LONGEST_PAUSE_MILLIS, pauseMillis * PAUSE_GROWTH);
  }
}
