import { Command } from 'commander';
import { announce } from '../publish/announce.ts';
import { eventBridgeAnnouncer } from '../publish/eventBridgeAnnouncer.ts';
import { refuseNoRoot } from '../publish/publishedState.ts';
import { releasePartition } from '../publish/releasePartition.ts';
import { parseUri } from './options.ts';
import { describePointer } from './publicationCommands.ts';
import { EXIT_DONE, EXIT_USAGE } from './terminal.ts';

interface ReleaseOptions {
  readonly scores: string;
  readonly partition: string;
  readonly override: string;
  readonly bus?: string;
}

export function releaseCommand(finish: (exitCode: number) => void): Command {
  return new Command('release')
    .description('publish exactly what a gate has blocked, with a reason on record')
    .requiredOption('--scores <uri>', 'output root of the published scores', parseUri)
    .requiredOption('--partition <name>', 'such as dt=2022-05-06')
    .requiredOption('--override <reason>', 'why; it stands in the audit document')
    .option('--bus <name>', 'EventBridge bus that is told, such as default; its name or ARN', parseUri)
    .action(async ({ scores, partition, override, bus }: ReleaseOptions, command: Command) => {
      if (override.trim() === '') command.error('error: --override must say why', { exitCode: EXIT_USAGE });
      await refuseNoRoot(scores);
      const { pointer, hasFlipped } = await releasePartition(scores, partition, override);
      const what = hasFlipped ? 'released' : 'released before, nothing was changed';
      process.stdout.write(`${partition}: ${what}, ${describePointer(pointer)}\n`);
      if (bus !== undefined) await announce(scores, pointer, eventBridgeAnnouncer(bus));
      finish(EXIT_DONE);
    });
}
