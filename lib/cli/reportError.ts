import { messageOf } from '../errors.ts';

/** Prints an error on stderr as one readable block; its stack and causes only when asked for. */
export function reportError(error: unknown, verbose: boolean): void {
  process.stderr.write(`error: ${messageOf(error)}\n`);
  if (!verbose) return;
  for (let current: unknown = error; current !== undefined; ) {
    const isError: boolean = current instanceof Error;
    process.stderr.write(`${isError ? (current as Error).stack : String(current)}\n`);
    current = isError ? (current as Error).cause : undefined;
    if (current !== undefined) process.stderr.write('caused by: ');
  }
}
