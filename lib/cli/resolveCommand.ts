import { Command } from 'commander';
import { resolvePartition } from '../publish/resolvePartition.ts';
import { EXIT_DONE } from './exitCodes.ts';
import { parseUri } from './parseUri.ts';

interface ResolveOptions {
  readonly scores: string;
  readonly partition: string;
  readonly json?: boolean;
}

export function resolveCommand(finish: (exitCode: number) => void): Command {
  return new Command('resolve')
    .description('print the URIs of the Arrow files that are the published scores of a partition')
    .requiredOption('--scores <uri>', 'output root of the published scores', parseUri)
    .requiredOption('--partition <name>', 'such as dt=2022-05-06')
    .option('--json', 'print pointer and manifest as one JSON object')
    .action(async ({ scores, partition, json }: ResolveOptions) => {
      const { pointer, manifest } = await resolvePartition(scores, partition);
      const uris = manifest.parts.map(({ uri }) => `${uri}\n`).join('');
      process.stdout.write(json ? `${JSON.stringify({ pointer, manifest })}\n` : uris);
      finish(EXIT_DONE);
    });
}
