import { messageOf, Ncs4cvrError } from '../errors.ts';
import type { SerialisedError } from './scoringProtocol.ts';

/** Structured clone drops the fields of error classes, so errors cross threads as plain objects. */
export function serialiseError(error: unknown): SerialisedError {
  const own = error instanceof Ncs4cvrError ? error : undefined;
  return {
    code: own?.code,
    message: messageOf(error),
    stack: error instanceof Error ? error.stack : undefined,
    location: own?.location ?? {},
    expected: own?.expected,
    found: own?.found,
    retryable: own?.retryable ?? false,
  };
}

/** The error as it was thrown in the worker: same code, message and place; the worker's stack as cause. */
export function deserialiseError(error: SerialisedError): Error {
  if (error.code === undefined) return new Error(error.message, { cause: error.stack });
  return new WorkerError(error);
}

class WorkerError extends Ncs4cvrError {
  constructor(error: SerialisedError) {
    super(error.code ?? 'WORKER_FAILED', '', {
      ...error.location,
      retryable: error.retryable,
      cause: error.stack,
      ...(error.expected === undefined ? {} : { expected: error.expected }),
      ...(error.found === undefined ? {} : { found: error.found }),
    });
    this.message = error.message;
  }
}
