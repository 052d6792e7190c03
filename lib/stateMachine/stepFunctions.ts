import type { SFNClient } from '@aws-sdk/client-sfn';
import { messageOf, Ncs4cvrError } from '../base/errors.ts';

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
  // As for S3: a warning about later versions doesn't belong above a command's output.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
  const sdk = await import('@aws-sdk/client-sfn');
  return { sdk, client: new sdk.SFNClient({ region: regionOf(arn), maxAttempts: ATTEMPTS }) };
}

interface ServiceFailure {
  readonly name?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

/** Awaits an answer of Step Functions. @throws Ncs4cvrError RUN_NOT_FOUND, RUN_ACCESS_DENIED, RUN_REQUEST_FAILED */
export async function answerOf<T>(request: Promise<T>, arn: string): Promise<T> {
  try {
    return await request;
  } catch (thrown) {
    throw stepFunctionsError(thrown, arn);
  }
}

/** Is it the service's error of this name, as it was thrown or as `answerOf` has wrapped it? */
export function isServiceError(thrown: unknown, name: string): boolean {
  const { cause } = (thrown ?? {}) as { cause?: unknown };
  return [thrown, cause].some((error) => (error as ServiceFailure | undefined)?.name === name);
}

function stepFunctionsError(thrown: unknown, arn: string): Ncs4cvrError {
  const { name = '', $metadata } = (thrown ?? {}) as ServiceFailure;
  const status = $metadata?.httpStatusCode;
  const details = {
    file: arn,
    found: [name === 'Error' ? '' : name, messageOf(thrown)].filter((text) => text !== '').join(': '),
    cause: thrown,
  };
  if (name === 'ExecutionDoesNotExist' || name === 'StateMachineDoesNotExist') {
    const what = name === 'ExecutionDoesNotExist' ? 'execution' : 'state machine';
    return new Ncs4cvrError('RUN_NOT_FOUND', `there is no such ${what}`, details);
  }
  if (name.startsWith('AccessDenied') || name === 'CredentialsProviderError' || status === 403) {
    return new Ncs4cvrError('RUN_ACCESS_DENIED', 'access is denied', details);
  }
  // No answer at all, or one that says "later", after all attempts of the SDK.
  const retryable = status === undefined || status >= 500 || /Throttling|LimitExceeded/.test(name);
  return new Ncs4cvrError('RUN_REQUEST_FAILED', 'Step Functions has refused or failed', {
    ...details,
    retryable,
  });
}
