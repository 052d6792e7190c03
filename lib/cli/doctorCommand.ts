import { Command } from 'commander';
import { formatTable } from '../base/textTable.ts';
import { examine } from '../doctor/examine.ts';
import { parseUri } from './options.ts';
import { EXIT_DONE, EXIT_FAILED, printJson } from './terminal.ts';

interface DoctorOptions {
  readonly model?: string;
  readonly input?: string;
  readonly scores?: string;
  readonly json?: boolean;
}

export function doctorCommand(finish: (exitCode: number) => void): Command {
  return new Command('doctor')
    .description(
      'check this machine, and what a run would read and write: versions, rights, clock, disk, memory',
    )
    .option(
      '--model <dir>',
      'also load and verify this bundle, and compare it with the free memory',
      parseUri,
    )
    .option('--input <uri>', 'also list these shards and read the footers of some of them', parseUri)
    .option(
      '--scores <uri>',
      'also check that this root can be published to; on S3 by a small write',
      parseUri,
    )
    .option('--json', 'print the findings as one JSON object')
    .action(async ({ model, input, scores, json }: DoctorOptions) => {
      const findings = await examine({ model, input, scores });
      if (json) printJson({ findings });
      else {
        const rows = findings.map(({ check, state, found }) => [
          check,
          state === 'ok' ? 'ok' : state.toUpperCase(),
          found,
        ]);
        process.stdout.write(`${formatTable(rows)}\n`);
      }
      finish(findings.some(({ state }) => state === 'failed') ? EXIT_FAILED : EXIT_DONE);
    });
}
