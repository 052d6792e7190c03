import { messageOf, Ncs4cvrError, ProblemsError } from '../base/errors.ts';
import { mayPass } from '../base/retry.ts';
import { remedyFor, toDoLines } from './remedies.ts';

/** Exit codes of every command; wrong usage is commander's to find. */
export const EXIT_DONE = 0;
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;
/** A run whose partitions are held, or superseded: somebody has decided otherwise, nothing is broken. */
export const EXIT_HELD = 3;
/** A run that a gate has refused; what was visible before still is. */
export const EXIT_REFUSED = 4;

/** What a command leaves that was stopped by a signal, and how to go on. @param args the command line */
export function interruptedLine(args: readonly string[]): string {
  const command = args.find((word) => !word.startsWith('-'));
  if (command === 'run' && args.includes('--state-machine')) {
    return 'interrupted: a run of the state machine goes on; `status` shows what is published, the same command follows it';
  }
  if (command === 'run') {
    return 'interrupted: finished parts and published partitions are kept; the same command goes on from there';
  }
  if (command === 'score') {
    return 'interrupted: files that were finished are whole and kept; the same command scores every shard again';
  }
  if (command === 'train') {
    return 'interrupted: the same command goes on after the last whole epoch that left a checkpoint';
  }
  if (command === 'compare') {
    return 'interrupted: runs that were finished are kept; the same command goes on with the others';
  }
  return 'interrupted: what was finished is kept; try the same command again';
}

/** What `--quiet` asks for: nothing on stderr but errors. */
export const stderrManners = { isQuiet: false };

/** A line, or several, on stderr of what has failed. */
export function printError(text: string): void {
  process.stderr.write(`error: ${text}\n`);
}

/** The same of what is no error, unless nobody wants to know. */
export function printNote(text: string): void {
  if (!stderrManners.isQuiet) process.stderr.write(`${text}\n`);
}

const REDRAW_MILLIS = 200;
const PRINT_MILLIS = 5000;

/** One line on stderr that is redrawn on a terminal, and printed again every few seconds elsewhere. */
export class ProgressLine {
  readonly #isTerminal = process.stderr.isTTY === true;
  #lastMillis = performance.now();
  #width = 0;

  /** Shows the line if the last one, or the start of the work, is long enough ago. */
  update(text: string): void {
    if (stderrManners.isQuiet) return;
    const now = performance.now();
    if (now - this.#lastMillis < (this.#isTerminal ? REDRAW_MILLIS : PRINT_MILLIS)) return;
    this.#lastMillis = now;
    if (this.#isTerminal) {
      process.stderr.write(`\r${text.padEnd(this.#width)}`);
      this.#width = text.length;
    } else {
      process.stderr.write(`${text}\n`);
    }
  }

  /** Prints a line that stays. */
  print(text: string): void {
    this.clear();
    printNote(text);
  }

  clear(): void {
    if (this.#isTerminal && this.#width > 0) process.stderr.write(`\r${' '.repeat(this.#width)}\r`);
    this.#width = 0;
  }
}

/** 75 -> "1m15s" */
export function formatSeconds(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?';
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m${String(whole % 60).padStart(2, '0')}s`;
  return `${Math.floor(whole / 3600)}h${String(Math.floor((whole % 3600) / 60)).padStart(2, '0')}m`;
}

/** A metric with four decimals, or "-" when it is undefined. */
export function formatMetric(value: number | null): string {
  return value === null ? '-' : value.toFixed(4);
}

/**
 * Prints an error on stderr as one readable block, whether the same command may succeed later, and what to do; its stack and
 * causes only when asked for.
 */
export function reportError(error: unknown, verbose: boolean): void {
  printError(messageOf(error));
  if (mayPass(error)) {
    process.stderr.write('this may pass: try the same command again\n');
  }
  const remedy = remedyFor(error);
  if (remedy !== undefined) process.stderr.write(toDoLines([remedy]));
  if (!verbose) return;
  for (let current: unknown = error; current !== undefined; ) {
    const isError: boolean = current instanceof Error;
    process.stderr.write(`${isError ? (current as Error).stack : String(current)}\n`);
    current = isError ? (current as Error).cause : undefined;
    if (current !== undefined) process.stderr.write('caused by: ');
  }
}

/** An error as the one JSON object that a command with `--json` prints instead of its result. */
export function errorToJson(error: unknown): object {
  const isOwn = error instanceof Ncs4cvrError;
  const remedy = remedyFor(error);
  return {
    error: {
      code: isOwn ? error.code : null,
      message: messageOf(error),
      ...(isOwn && {
        ...error.location,
        ...(error.expected !== undefined && { expected: error.expected }),
        ...(error.found !== undefined && { found: error.found }),
      }),
      ...(error instanceof ProblemsError && { problems: error.problems }),
      retryable: mayPass(error),
      ...(remedy !== undefined && { remedy }),
    },
  };
}

/** As `errorToJson`, of a command line that is wrong. @param text what commander says of it */
export function usageToJson(text: string): object {
  return { error: { code: 'USAGE', message: text.replace(/^error: /, ''), retryable: false } };
}

/** One object on one line of stdout. */
export function printJson(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
