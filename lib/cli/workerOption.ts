import { availableParallelism } from 'node:os';
import { Option } from 'commander';
import { wholeNumber } from './wholeNumber.ts';

/** `--workers N`: scoring threads, one a core by default. */
export function workersOption(): Option {
  return new Option('--workers <n>', 'scoring threads')
    .default(availableParallelism())
    .argParser(wholeNumber(1, 256));
}
