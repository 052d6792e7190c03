import { userInfo } from 'node:os';
import { Command } from 'commander';
import { announce } from '../publish/announce.ts';
import { eventBridgeAnnouncer } from '../publish/eventBridgeAnnouncer.ts';
import { describePointer } from '../publish/pointer.ts';
import { refuseNoRoot } from '../publish/publishedState.ts';
import { releasePartition } from '../publish/releasePartition.ts';
import { notEmpty, parseUri, partitionName } from './options.ts';
import { EXIT_DONE, EXIT_USAGE, printJson } from './terminal.ts';

interface ReleaseOptions {
  readonly scores: string;
  readonly partition: string;
  readonly override: string;
  readonly by?: string;
  readonly bus?: string;
  readonly json?: boolean;
}

export function releaseCommand(finish: (exitCode: number) => void): Command {
  return new Command('release')
    .description(
      'publish exactly what a gate has blocked, with the reason, the operator and the time on record',
    )
    .requiredOption('--scores <uri>', 'output root of the published scores', parseUri)
    .requiredOption('--partition <name>', 'such as dt=2022-05-06', partitionName)
    .requiredOption('--override <reason>', 'why; it stands in the audit document', notEmpty('a reason'))
    .option(
      '--by <name>',
      'who says so, as it stands there too; by default the user of this machine',
      notEmpty('a name'),
    )
    .option(
      '--bus <name>',
      'EventBridge bus that is told, such as default; its name or ARN',
      notEmpty('a bus'),
    )
    .option('--json', 'print the pointer, and whether it has changed, as one JSON object')
    .action(
      async (
        { scores, partition, override, by = userName(), bus, json }: ReleaseOptions,
        command: Command,
      ) => {
        if (by === undefined) {
          command.error('error: --by must say who releases it', { exitCode: EXIT_USAGE });
        }
        await refuseNoRoot(scores);
        const word = { reason: override, by, at: new Date().toISOString() };
        const { pointer, hasFlipped } = await releasePartition(scores, partition, word);
        const what = hasFlipped ? 'released' : 'released before, nothing was changed';
        if (!json) process.stdout.write(`${partition}: ${what}, ${describePointer(pointer)}\n`);
        if (bus !== undefined) await announce(scores, pointer, eventBridgeAnnouncer(bus));
        if (json) printJson({ partition, hasChanged: hasFlipped, pointer });
        finish(EXIT_DONE);
      },
    );
}

/** Undefined where the operating system has no name for it, as for the random user of a container. */
function userName(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined;
  }
}
