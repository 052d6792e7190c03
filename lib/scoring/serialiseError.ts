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

/** The error as it was thrown in the worker: same code, message, place and stack. */
export function deserialiseError(error: SerialisedError): Error {
  const { code, message, stack, location, expected, found, retryable } = error;
  const revived =
    code === undefined
      ? new Error(message)
      : new Ncs4cvrError(code, message, {
          ...location,
          retryable,
          ...(expected === undefined ? {} : { expected }),
          ...(found === undefined ? {} : { found }),
        });
  revived.message = message;
  if (stack !== undefined) revived.stack = stack;
  return revived;
}
