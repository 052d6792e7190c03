import { availableParallelism } from 'node:os';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { calendarDayMillis } from '../base/calendarDay.ts';
import { isExecutionArn, isStateMachineArn } from '../stateMachine/stepFunctions.ts';
import type { ShardInput } from '../storage/listShards.ts';
import { EXIT_USAGE } from './terminal.ts';

/** A path or URI; refuses an empty one, which an unset shell variable gives and which would mean the root folder. */
export function parseUri(text: string): string {
  if (text.trim() === '') throw new InvalidArgumentError('expected a path or URI');
  return text;
}

/** A partition as its folders are named; a slash behind it, which shells complete, isn't part of the name. */
export function partitionName(text: string): string {
  return parseUri(text).replace(/\/+$/, '');
}

/** A day, YYYY-MM-DD. */
export function isoDate(text: string): string {
  if (calendarDayMillis(text) !== undefined) return text;
  throw new InvalidArgumentError('expected a date, YYYY-MM-DD');
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
