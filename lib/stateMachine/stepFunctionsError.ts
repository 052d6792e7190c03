import { messageOf, Ncs4cvrError } from '../base/errors.ts';

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
    found: [name === 'Error' ? '' : name, messageOf(thrown)].filter((part) => part !== '').join(': '),
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
  return new Ncs4cvrError('RUN_REQUEST_FAILED', "Step Functions doesn't do it", { ...details, retryable });
}
