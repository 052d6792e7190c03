import type { StartExecution } from '../lib/arrivals/arrivalRun.ts';
import { startExecution } from '../lib/stateMachine/startRun.ts';
import { openStepFunctions, type StepFunctions } from '../lib/stateMachine/stepFunctions.ts';

/** By ARN: a client is kept between invocations. */
const clients = new Map<string, Promise<StepFunctions>>();

export function executionsOf(stateMachineArn: string): StartExecution {
  return async (name, input) => {
    const client = clients.get(stateMachineArn) ?? openStepFunctions(stateMachineArn);
    clients.set(stateMachineArn, client);
    const started = await startExecution(await client, stateMachineArn, name, input);
    return started === undefined ? 'ended' : 'running';
  };
}
