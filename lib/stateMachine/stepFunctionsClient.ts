import type { SFNClient } from '@aws-sdk/client-sfn';

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
function regionOf(arn: string): string {
  return arn.split(':')[3]!;
}

/** ARN of a state machine's execution of a given name. */
export function executionArnOf(stateMachineArn: string, name: string): string {
  return stateMachineArn.replace(STATE_MACHINE, `arn:$1:states:$2:$3:execution:$4:${name}`);
}

/** The SDK and one client of it. */
export interface StepFunctions {
  readonly sdk: typeof import('@aws-sdk/client-sfn');
  readonly client: SFNClient;
}

/** A request is tried this often in all, with the SDK's jittered backoff in between. */
const ATTEMPTS = 6;

/**
 * A client for the region that an ARN names. Credentials and endpoint (AWS_ENDPOINT_URL_SFN) come from where the SDK
 * looks for them. The SDK is loaded here and not before: commands that start no state machine don't wait for it.
 */
export async function openStepFunctions(arn: string): Promise<StepFunctions> {
  // As for S3: that later versions won't support this Node is nothing to say at the head of a command's output.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
  const sdk = await import('@aws-sdk/client-sfn');
  return { sdk, client: new sdk.SFNClient({ region: regionOf(arn), maxAttempts: ATTEMPTS }) };
}
