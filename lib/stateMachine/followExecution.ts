import { Ncs4cvrError } from '../base/errors.ts';
import { type Clock, pauseMillis, type RetryLaw, systemClock } from '../base/retry.ts';
import { describeEnd, describeExecution, type Execution, isRunning } from './execution.ts';
import { isServiceError, type StepFunctions } from './stepFunctions.ts';

/**
 * How far an execution's current map is, such as `ScoreUnits 34/120, 2 failed`; undefined before the first one. Needs
 * states:ListMapRuns and states:DescribeMapRun; without them it is undefined.
 * @internal exported for tests: between two polls an execution goes on
 */
export async function mapProgress(
  { sdk, client }: StepFunctions,
  executionArn: string,
): Promise<string | undefined> {
  try {
    const { mapRuns = [] } = await client.send(new sdk.ListMapRunsCommand({ executionArn }));
    const newest = mapRuns.sort((a, b) => b.startDate!.getTime() - a.startDate!.getTime())[0];
    if (newest === undefined) return undefined;
    const { mapRunArn } = newest;
    const { itemCounts } = await client.send(new sdk.DescribeMapRunCommand({ mapRunArn }));
    const { total = 0, succeeded = 0, failed = 0, timedOut = 0, aborted = 0 } = itemCounts!;
    const bad = failed + timedOut + aborted;
    // arn:...:mapRun:MACHINE/LABEL:ID
    const label = /\/([^:/]+):[^:]+$/.exec(mapRunArn!)?.[1] ?? 'items';
    return `${label} ${succeeded}/${total}${bad === 0 ? '' : `, ${bad} failed`}`;
  } catch {
    return undefined;
  }
}

export interface FollowOptions {
  /** How often it has been redriven, the redrive to be followed included. */
  readonly redriveCount?: number;
  /** Called once per look: how far the current map is, if that is known. */
  readonly onProgress?: (seconds: number, maps: string | undefined) => void;
  readonly clock?: Clock;
}

/** Of the looks at an execution. */
const LOOK_LAW: RetryLaw = { firstPauseMillis: 500, growth: 1.3, longestPauseMillis: 10_000 };
/** For so long, an answer may be of the moment before the start or the redrive. */
const SETTLE_MILLIS = 60_000;

/**
 * Waits until an execution has ended, however long it takes.
 * @throws Ncs4cvrError RUN_FAILED with status, error and cause unless it has succeeded
 */
export async function followExecution(
  sfn: StepFunctions,
  arn: string,
  { redriveCount = 0, onProgress, clock = systemClock }: FollowOptions = {},
): Promise<Execution> {
  const startMillis = clock.nowMillis();
  for (let look = 1; ; look++) {
    const elapsedMillis = clock.nowMillis() - startMillis;
    const hasSettled = elapsedMillis > SETTLE_MILLIS;
    const execution = await describeExecution(sfn, arn).catch((error: unknown) => {
      if (hasSettled || !isServiceError(error, 'ExecutionDoesNotExist')) throw error;
      return undefined;
    });
    const isCurrent = execution !== undefined && (hasSettled || execution.redriveCount >= redriveCount);
    if (isCurrent && !isRunning(execution)) {
      if (execution.status === 'SUCCEEDED') return execution;
      throw new Ncs4cvrError('RUN_FAILED', 'the run has ended without publishing everything', {
        file: arn,
        found: describeEnd(execution),
      });
    }
    onProgress?.(elapsedMillis / 1000, await mapProgress(sfn, arn));
    await clock.sleep(pauseMillis(LOOK_LAW, look));
  }
}
