import { Command } from 'commander';
import { publicationStatus } from '../publish/publicationStatus.ts';
import { EXIT_DONE } from './exitCodes.ts';
import { parseUri } from './parseUri.ts';
import { formatCount } from './progressLine.ts';

interface StatusOptions {
  readonly scores: string;
  readonly json?: boolean;
}

export function statusCommand(finish: (exitCode: number) => void): Command {
  return new Command('status')
    .description('show what is published: model, rows, generation and hold of every partition')
    .requiredOption('--scores <uri>', 'output root of the published scores', parseUri)
    .option('--json', 'print the pointers as one JSON array')
    .action(async ({ scores, json }: StatusOptions) => {
      const pointers = await publicationStatus(scores);
      const lines = pointers.map(
        ({ partition, current, generation, history, hold }) =>
          `${partition}  ${current.model.version}  ${formatCount(current.rows)} rows  generation ${generation}  ` +
          `manifest ${current.sha256.slice(0, 12)}  before: ${
            history.map(({ sha256, model }) => `${sha256.slice(0, 12)} (${model.version})`).join(', ') ||
            'nothing'
          }${hold === null ? '' : `  HELD: ${hold}`}\n`,
      );
      process.stdout.write(
        json ? `${JSON.stringify(pointers)}\n` : lines.join('') || 'nothing is published\n',
      );
      finish(EXIT_DONE);
    });
}
