import { Command } from 'commander';
import { describeUri } from '../inspect/describeUri.ts';
import { parseUri } from './options.ts';
import { EXIT_DONE } from './terminal.ts';

export function inspectCommand(finish: (exitCode: number) => void): Command {
  return new Command('inspect')
    .description('tell what a bundle, a shard or a prediction file is')
    .argument('<uri>', 'bundle folder, Parquet shard or Arrow prediction file', parseUri)
    .action(async (uri: string) => {
      process.stdout.write(`${await describeUri(uri)}\n`);
      finish(EXIT_DONE);
    });
}
