import type { ExecutionListItem } from '@aws-sdk/client-sfn';
import { Ncs4cvrError } from '../base/errors.ts';
import { describeExecution, type Execution, hasTriedAll, isRedrivable } from './execution.ts';
import { answerOf, isServiceError, type StepFunctions } from './stepFunctions.ts';

const ENDED_BADLY = ['FAILED', 'TIMED_OUT', 'ABORTED'] as const;
/** Of each status; with more failures than that in 14 days, one redrive isn't the answer. */
const EXECUTIONS_LOOKED_AT = 20;

/**
 * The failed, timed out or aborted execution that ended last, of those that can be redriven (Step Functions allows it for
 * 14 days).
 * @throws Ncs4cvrError RUN_NOT_REDRIVABLE when there is none, or a redrive wouldn't help this one
 */
export async function newestRedrivable(sfn: StepFunctions, stateMachineArn: string): Promise<Execution> {
  const { sdk, client } = sfn;
  const ended: ExecutionListItem[] = [];
  for (const statusFilter of ENDED_BADLY) {
    const request = { stateMachineArn, statusFilter, maxResults: EXECUTIONS_LOOKED_AT };
    const command = new sdk.ListExecutionsCommand(request);
    ended.push(...((await answerOf(client.send(command), stateMachineArn)).executions ?? []));
  }
  const stopMillis = ({ stopDate, startDate }: ExecutionListItem) => (stopDate ?? startDate!).getTime();
  ended.sort((a, b) => stopMillis(b) - stopMillis(a));
  let newest: Execution | undefined;
  for (const { executionArn } of ended) {
    const execution = await describeExecution(sfn, executionArn!);
    if (execution.redriveStatus === 'REDRIVABLE') {
      // An older run isn't taken instead: nobody has asked for it.
      refuseUnredrivable(execution);
      return execution;
    }
    newest ??= execution;
  }
  throw new Ncs4cvrError('RUN_NOT_REDRIVABLE', 'no failed, timed out or aborted run can be redriven', {
    file: stateMachineArn,
    ...(newest === undefined ? {} : { found: `${newest.arn}: ${whyNot(newest)}` }),
  });
}

/** @throws Ncs4cvrError RUN_NOT_REDRIVABLE with Step Functions' reason, or since a new run is what helps */
export function refuseUnredrivable(execution: Execution): void {
  if (isRedrivable(execution)) return;
  throw notRedrivable(execution.arn, whyNot(execution));
}

/**
 * Continues an execution where it stopped, with the same input; what has succeeded is not done again.
 * @throws Ncs4cvrError RUN_NOT_REDRIVABLE when it was redriven elsewhere first, or its time is over
 */
export async function redriveRun({ sdk, client }: StepFunctions, { arn }: Execution): Promise<Date> {
  try {
    const command = new sdk.RedriveExecutionCommand({ executionArn: arn });
    return (await answerOf(client.send(command), arn)).redriveDate!;
  } catch (error) {
    if (isServiceError(error, 'ExecutionNotRedrivable')) throw notRedrivable(arn, undefined, error);
    throw error;
  }
}

function whyNot(execution: Execution): string {
  const { status, redriveStatus, redriveStatusReason } = execution;
  if (hasTriedAll(execution)) {
    return 'it has tried every partition; fix the cause and start a new run, which finds what is done';
  }
  if (redriveStatus === 'REDRIVABLE_BY_MAP_RUN') return 'one item of a map; redrive the run that started it';
  return redriveStatusReason ?? status;
}

function notRedrivable(arn: string, found: string | undefined, cause?: unknown): Ncs4cvrError {
  return new Ncs4cvrError('RUN_NOT_REDRIVABLE', "this run can't be redriven", {
    file: arn,
    ...(found === undefined ? {} : { found }),
    cause,
  });
}
