import { type ErrorLocation, messageOf, Ncs4cvrError } from './errors.ts';

/**
 * The compiled script beside a module. Node can't start a thread or a process from TypeScript, so when the module
 * itself runs as TypeScript (tests), the script is the one that `npm run build` put into dist.
 * @param moduleUrl import.meta.url of the module @param script such as `scoringWorker.js`
 */
export function compiledSibling(moduleUrl: string, script: string): URL {
  if (moduleUrl.endsWith('.js')) return new URL(`./${script}`, moduleUrl);
  const lib = new URL('../', import.meta.url).href;
  const folder = new URL('./', moduleUrl).href.slice(lib.length);
  return new URL(`../../dist/lib/${folder}${script}`, import.meta.url);
}

/** An Ncs4cvrError on its way between threads. */
export interface SerialisedError {
  readonly code: string | undefined;
  readonly message: string;
  readonly stack: string | undefined;
  readonly location: ErrorLocation;
  readonly expected: string | undefined;
  readonly found: string | undefined;
  readonly retryable: boolean;
}

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
