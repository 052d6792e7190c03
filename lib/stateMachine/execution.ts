import type { ExecutionRedriveStatus, ExecutionStatus } from '@aws-sdk/client-sfn';
import { isRecord, jsonIn } from '../base/jsonDocument.ts';
import { answerOf, type StepFunctions } from './stepFunctions.ts';

/** An execution of the state machine as Step Functions describes it. */
export interface Execution {
  readonly arn: string;
  readonly status: ExecutionStatus;
  readonly startDate: Date;
  /** Undefined while it runs. */
  readonly stopDate: Date | undefined;
  readonly input: string | undefined;
  /** What it failed with, such as `States.ExceedToleratedFailureThreshold`. */
  readonly error: string | undefined;
  readonly cause: string | undefined;
  readonly redriveCount: number;
  readonly redriveStatus: ExecutionRedriveStatus | undefined;
  /** Why it can't be redriven. */
  readonly redriveStatusReason: string | undefined;
}

/**
 * Eventually consistent: right after a start or a redrive, the answer may be of the moment before.
 * @throws Ncs4cvrError RUN_NOT_FOUND, RUN_ACCESS_DENIED, RUN_REQUEST_FAILED
 */
export async function describeExecution({ sdk, client }: StepFunctions, arn: string): Promise<Execution> {
  const found = await answerOf(client.send(new sdk.DescribeExecutionCommand({ executionArn: arn })), arn);
  return {
    arn,
    status: found.status!,
    startDate: found.startDate!,
    stopDate: found.stopDate,
    input: found.input,
    error: found.error,
    cause: found.cause,
    redriveCount: found.redriveCount ?? 0,
    redriveStatus: found.redriveStatus,
    redriveStatusReason: found.redriveStatusReason,
  };
}

/** What the state machine fails with when it has tried every partition (infra/scoringRun.asl.json). */
const PARTITIONS_NOT_PUBLISHED = 'PartitionsNotPublished';

/**
 * Can a redrive help? Step Functions would also redrive a run that has tried every partition, but that only enters the
 * failed state again.
 */
export function isRedrivable(execution: Execution): boolean {
  return execution.redriveStatus === 'REDRIVABLE' && !hasTriedAll(execution);
}

export function hasTriedAll({ status, error }: Execution): boolean {
  return status === 'FAILED' && error === PARTITIONS_NOT_PUBLISHED;
}

export function isRunning({ status }: Execution): boolean {
  return status === 'RUNNING' || status === 'PENDING_REDRIVE';
}

/** Status, error and cause in one line; of a function's error its message. */
export function describeEnd({ status, error, cause }: Execution): string {
  return [status, error, cause === undefined ? undefined : messageIn(cause)]
    .filter((text) => text !== undefined)
    .join(': ');
}

/** A function's error comes as `{"errorType", "errorMessage", "trace"}`, any other cause as text. */
export function messageIn(cause: string): string {
  const error = jsonIn(cause);
  return isRecord(error) && typeof error.errorMessage === 'string' ? error.errorMessage : cause;
}
