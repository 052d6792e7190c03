import { Command } from 'commander';
import { rollBack } from '../publish/rollBack.ts';
import { EXIT_DONE } from './exitCodes.ts';
import { parseUri } from './parseUri.ts';
import { formatCount } from './progressLine.ts';

interface RollbackOptions {
  readonly scores: string;
  readonly partition: string;
  readonly reason: string;
  readonly to?: string;
}

export function rollbackCommand(finish: (exitCode: number) => void): Command {
  return new Command('rollback')
    .description('make an earlier state of a partition visible again, and hold it against later runs')
    .requiredOption('--scores <uri>', 'output root of the published scores', parseUri)
    .requiredOption('--partition <name>', 'such as dt=2022-05-06')
    .requiredOption('--reason <text>', 'why; whoever finds the partition held reads it')
    .option('--to <sha256>', 'manifest to go back to, or how it begins; the one before by default')
    .action(async ({ scores, partition, reason, to }: RollbackOptions) => {
      const { current, generation } = await rollBack(scores, partition, reason, to);
      process.stdout.write(
        `${partition}: ${current.model.version}, ${formatCount(current.rows)} rows, generation ${generation}; ` +
          'held until a run lifts it (plan --lift-hold)\n',
      );
      finish(EXIT_DONE);
    });
}
