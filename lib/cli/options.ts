import { availableParallelism } from 'node:os';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { calendarDayMillis } from '../base/calendarDay.ts';
import { type DayRange, dayRange } from '../job/listPartitions.ts';
import { isExecutionArn, isStateMachineArn } from '../stateMachine/stepFunctions.ts';
import type { ShardInput } from '../storage/listShards.ts';
import { EXIT_USAGE } from './terminal.ts';

/** Parser of an option that says something; refuses what an unset shell variable gives. @param what in words */
export function notEmpty(what: string): (text: string) => string {
  return (text) => {
    if (text.trim() === '') throw new InvalidArgumentError(`expected ${what}`);
    return text;
  };
}

/** An empty one would mean the root folder. */
export const parseUri = notEmpty('a path or URI');

/**
 * A partition as its folders are named; a slash behind it, which shells complete, isn't part of the name.
 * @param before of an option that was given twice: the last one alone would be taken, and the other silently left out
 */
export function partitionName(text: string, before?: string): string {
  if (before !== undefined) throw new InvalidArgumentError(`expected one partition, and ${before} is one`);
  return notEmpty('a partition')(text.replace(/\/+$/, ''));
}

/** The sha256 of a manifest or bundle, or how it begins: an empty one would be how all of them begin. */
export function digestStart(text: string): string {
  if (/^[0-9a-f]{4,64}$/.test(text)) return text;
  throw new InvalidArgumentError('expected 4 to 64 lower-case hex digits');
}

/** A day, YYYY-MM-DD. */
export function isoDate(text: string): string {
  if (calendarDayMillis(text) !== undefined) return text;
  throw new InvalidArgumentError('expected a date, YYYY-MM-DD');
}

/** What `--from` and `--to` say, undefined without either; wrong usage when the later day comes first. */
export function daysBetween(command: Command, from?: string, to?: string): DayRange | undefined {
  if (from !== undefined && to !== undefined && from > to) {
    command.error(`error: --from ${from} is later than --to ${to}`, { exitCode: EXIT_USAGE });
  }
  return from === undefined && to === undefined ? undefined : dayRange(from, to);
}

/** Parser of an option that is a whole number. Both ends inclusive. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    // `Number` takes what an unset shell variable gives for 0.
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (!Number.isInteger(value) || value < least || value > most) {
      throw new InvalidArgumentError(`expected a whole number from ${least} to ${most}`);
    }
    return value;
  };
}

/** Parser of an option that is a number above 0. */
export function positiveNumber(text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new InvalidArgumentError('expected a number above 0');
}

/** `--workers N`: scoring threads, one per core by default. */
export function workersOption(): Option {
  return new Option('--workers <n>', 'scoring threads')
    .default(availableParallelism(), 'one per core')
    .argParser(wholeNumber(1, 256));
}

/** Such as the stack's output ScoringRunArn. */
export function parseStateMachineArn(text: string): string {
  if (isStateMachineArn(text)) return text;
  throw new InvalidArgumentError('expected arn:aws:states:REGION:ACCOUNT:stateMachine:NAME');
}

export function parseExecutionArn(text: string): string {
  if (isExecutionArn(text)) return text;
  throw new InvalidArgumentError('expected arn:aws:states:REGION:ACCOUNT:execution:STATE_MACHINE:NAME');
}

/** `--files LIST`, see readFileList. */
export function filesOption(): Option {
  return new Option(
    '--files <list>',
    'read the files of a list (a path or URI per line, or an UNLOAD manifest), and nothing else',
  ).argParser(parseUri);
}

/** What either `--files` or the option that names a folder says; wrong usage when both or neither is given. */
export function shardInput(
  command: Command,
  {
    files,
    ...folder
  }: { readonly files?: string | undefined } & Readonly<Record<string, string | undefined>>,
): ShardInput {
  const [[name, uri]] = Object.entries(folder) as [[string, string | undefined]];
  if (files !== undefined && uri === undefined) return { filesUri: files };
  if (files === undefined && uri !== undefined) return uri;
  return command.error(`error: either --${name} or --files is needed`, { exitCode: EXIT_USAGE });
}
