import { availableParallelism } from 'node:os';
import { InvalidArgumentError, Option } from 'commander';

/** `--workers N`: scoring threads, one a core by default. */
export function workersOption(): Option {
  return new Option('--workers <n>', 'scoring threads').default(availableParallelism()).argParser((text) => {
    const workers = Number(text);
    if (!Number.isInteger(workers) || workers < 1 || workers > 256) {
      throw new InvalidArgumentError('expected a whole number from 1 to 256');
    }
    return workers;
  });
}
