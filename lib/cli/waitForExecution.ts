import type { Execution } from '../stateMachine/execution.ts';
import { followExecution } from '../stateMachine/followExecution.ts';
import type { StepFunctions } from '../stateMachine/stepFunctionsClient.ts';
import { formatSeconds, ProgressLine } from './progressLine.ts';

/** Follows an execution with progress on stderr. @throws RunError RUN_FAILED unless it succeeds */
export async function waitForExecution(
  sfn: StepFunctions,
  executionArn: string,
  redriveCount = 0,
): Promise<Execution> {
  const line = new ProgressLine();
  try {
    return await followExecution(sfn, executionArn, {
      redriveCount,
      onProgress: (seconds, maps) =>
        line.update(`running for ${formatSeconds(seconds)}  ${maps ?? 'planning'}`),
    });
  } finally {
    line.clear();
  }
}
