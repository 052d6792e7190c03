import { InvalidArgumentError } from 'commander';

/** A path or URI; refuses an empty one, which an unset shell variable gives and which would mean the root folder. */
export function parseUri(text: string): string {
  if (text.trim() === '') throw new InvalidArgumentError('expected a path or URI');
  return text;
}
