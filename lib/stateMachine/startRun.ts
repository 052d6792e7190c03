import { Ncs4cvrError } from '../base/errors.ts';
import type { WrittenPlan } from '../publish/runPlan.ts';
import { describeEnd, describeExecution, isRedrivable, isRunning } from './execution.ts';
import { answerOf, executionArnOf, isServiceError, type StepFunctions } from './stepFunctions.ts';

export interface StartedRun {
  readonly executionArn: string;
  readonly startDate: Date;
}

/**
 * Starts an execution of a name. While it runs, starting it again with the same input gives the same execution.
 * @returns undefined when the name is taken: that execution has ended, or its input is another
 */
export async function startExecution(
  { sdk, client }: StepFunctions,
  stateMachineArn: string,
  name: string,
  input: object,
): Promise<StartedRun | undefined> {
  const command = new sdk.StartExecutionCommand({ stateMachineArn, name, input: JSON.stringify(input) });
  try {
    const { executionArn, startDate } = await answerOf(client.send(command), stateMachineArn);
    return { executionArn: executionArn!, startDate: startDate! };
  } catch (error) {
    if (isServiceError(error, 'ExecutionAlreadyExists')) return undefined;
    throw error;
  }
}

/**
 * Starts a state machine with a plan. The execution's name follows from the plan: while it runs, starting the plan again
 * gives the same execution. Names are taken for 90 days, so an execution that failed and that no redrive can help gets a
 * successor with a number.
 * @throws Ncs4cvrError RUN_ALREADY_ENDED when it has succeeded, or can be redriven
 */
export async function startRun(
  sfn: StepFunctions,
  stateMachineArn: string,
  plan: WrittenPlan,
): Promise<StartedRun> {
  for (let attempt = 1; ; attempt++) {
    const name = `plan-${plan.sha256}${attempt === 1 ? '' : `-${attempt}`}`;
    const started = await startExecution(sfn, stateMachineArn, name, { planUri: plan.uri });
    if (started !== undefined) return started;
    const execution = await describeExecution(sfn, executionArnOf(stateMachineArn, name));
    const { arn, status, startDate } = execution;
    // Redriven in the meantime.
    if (isRunning(execution)) return { executionArn: arn, startDate };
    const canGoOn = isRedrivable(execution);
    if (status !== 'SUCCEEDED' && !canGoOn) continue;
    const advice = canGoOn ? '`redrive` continues where it stopped' : 'plan again';
    throw new Ncs4cvrError('RUN_ALREADY_ENDED', `this plan has run already; ${advice}`, {
      file: arn,
      found: describeEnd(execution),
    });
  }
}
