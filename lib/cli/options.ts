import { availableParallelism } from 'node:os';
import { InvalidArgumentError, Option } from 'commander';
import { isExecutionArn, isStateMachineArn } from '../stateMachine/stepFunctions.ts';

/** A path or URI; refuses an empty one, which an unset shell variable gives and which would mean the root folder. */
export function parseUri(text: string): string {
  if (text.trim() === '') throw new InvalidArgumentError('expected a path or URI');
  return text;
}

/** Parser of an option that is a whole number. Both ends inclusive. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < least || value > most) {
      throw new InvalidArgumentError(`expected a whole number from ${least} to ${most}`);
    }
    return value;
  };
}

/** `--workers N`: scoring threads, one per core by default. */
export function workersOption(): Option {
  return new Option('--workers <n>', 'scoring threads')
    .default(availableParallelism())
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
