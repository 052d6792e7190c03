const STATE_MACHINE = /^arn:([^:]+):states:([^:]+):(\d+):stateMachine:([^:/]+)$/;
const EXECUTION = /^arn:[^:]+:states:[^:]+:\d+:execution:[^:]+:[^:]+$/;

/** An unqualified state machine: the stack deploys neither versions nor aliases. */
export function isStateMachineArn(text: string): boolean {
  return STATE_MACHINE.test(text);
}

/** An execution of a state machine, or one that a map of it has started. */
export function isExecutionArn(text: string): boolean {
  return EXECUTION.test(text);
}

/** The region that an ARN names, whatever the environment's is. */
export function regionOf(arn: string): string {
  return arn.split(':')[3]!;
}

/** ARN of a state machine's execution of a given name. */
export function executionArnOf(stateMachineArn: string, name: string): string {
  return stateMachineArn.replace(STATE_MACHINE, `arn:$1:states:$2:$3:execution:$4:${name}`);
}
