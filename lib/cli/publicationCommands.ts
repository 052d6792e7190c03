import { Command, Option } from 'commander';
import { counted, formatCount } from '../base/formatCount.ts';
import { announce } from '../publish/announce.ts';
import { readAudit } from '../publish/audit.ts';
import { collectGarbage, LEAST_GARBAGE_DAYS } from '../publish/collectGarbage.ts';
import { eventBridgeAnnouncer } from '../publish/eventBridgeAnnouncer.ts';
import { below } from '../publish/outputLayout.ts';
import { refuseNoRoot, resolvePartition } from '../publish/publishedState.ts';
import { rollBack } from '../publish/rollBack.ts';
import { verifyParts } from '../publish/verifyParts.ts';
import { absoluteUri } from '../storage/uri.ts';
import { ofPublished } from './ofPublished.ts';
import { digestStart, notEmpty, parseUri, partitionName, wholeNumber } from './options.ts';
import { EXIT_DONE, printJson, printNote } from './terminal.ts';

interface ResolveOptions {
  readonly scores: string;
  readonly partition: string;
  readonly json?: boolean;
  readonly verify?: boolean;
}

export function resolveCommand(finish: (exitCode: number) => void): Command {
  return new Command('resolve')
    .description('print the URIs of the Arrow files that are the published scores of a partition')
    .requiredOption('--scores <uri>', 'output root of the published scores', parseUri)
    .requiredOption('--partition <name>', 'such as dt=2022-05-06', partitionName)
    .option('--json', 'print pointer, manifest and audit document as one JSON object')
    .option('--verify', 'read all of them first, and fail unless they have the bytes that were published')
    .action(async ({ scores, partition, json, verify = false }: ResolveOptions) => {
      await refuseNoRoot(scores);
      const { pointer, manifest } = await ofPublished(scores, partition, () =>
        resolvePartition(scores, partition),
      );
      if (verify) await verifyParts(scores, manifest);
      const uris = manifest.parts.map(({ path }) => `${below(absoluteUri(scores), path)}\n`).join('');
      const whole = async () => ({
        pointer,
        manifest,
        audit: await readAudit(scores, pointer.current.audit),
      });
      if (json) printJson(await whole());
      else process.stdout.write(uris);
      finish(EXIT_DONE);
    });
}

interface RollbackOptions {
  readonly scores: string;
  readonly partition: string;
  readonly reason: string;
  readonly to?: string;
  readonly bus?: string;
  readonly json?: boolean;
}

export function rollbackCommand(finish: (exitCode: number) => void): Command {
  return new Command('rollback')
    .description('make an earlier state of a partition visible again, and hold it against later runs')
    .requiredOption('--scores <uri>', 'output root of the published scores', parseUri)
    .requiredOption('--partition <name>', 'such as dt=2022-05-06', partitionName)
    .requiredOption('--reason <text>', 'why; shown where the partition is found held', notEmpty('a reason'))
    .option(
      '--to <sha256>',
      'manifest to go back to, or how it begins; by default the one before, once',
      digestStart,
    )
    .option(
      '--bus <name>',
      'EventBridge bus that is told, such as default; its name or ARN',
      notEmpty('a bus'),
    )
    .option('--json', 'print the pointer, and whether it has changed, as one JSON object')
    .action(async ({ scores, partition, reason, to, bus, json }: RollbackOptions) => {
      await refuseNoRoot(scores);
      const { pointer, hasFlipped } = await rollBack(scores, partition, reason, to);
      const { current, generation } = pointer;
      const what = hasFlipped ? '' : 'rolled back before, nothing was changed; ';
      if (!json) {
        process.stdout.write(
          `${partition}: ${current.model.version}, ${formatCount(current.rows)} rows, generation ${generation}; ` +
            `${what}held until a run lifts it (plan --lift-hold)\n`,
        );
      }
      if (bus !== undefined) await announce(scores, pointer, eventBridgeAnnouncer(bus));
      if (json) printJson({ partition, hasChanged: hasFlipped, pointer });
      finish(EXIT_DONE);
    });
}

interface GcOptions {
  readonly scores: string;
  readonly days: number;
  readonly apply?: boolean;
  readonly json?: boolean;
}

export function gcCommand(finish: (exitCode: number) => void): Command {
  return new Command('gc')
    .description('list, and with --apply delete, what no published state or its history needs')
    .requiredOption('--scores <uri>', 'output root of the published scores', parseUri)
    .addOption(
      new Option('--days <n>', 'leave what is younger')
        .default(30)
        .argParser(wholeNumber(LEAST_GARBAGE_DAYS, 36_500)),
    )
    .option('--apply', 'delete; parts are deleted by a call a day or more after their receipts')
    .option('--json', 'print the objects and their size as one JSON object')
    .action(async ({ scores, days, apply = false, json }: GcOptions) => {
      const { files, sizeBytes, condemnedParts } = await collectGarbage(scores, {
        olderThanDays: days,
        apply,
        nowMillis: Date.now(),
      });
      if (json) {
        printJson({ isDeleted: apply, objects: files.map(({ uri }) => uri), sizeBytes, condemnedParts });
      } else {
        for (const { uri } of files) process.stdout.write(`${uri}\n`);
        printNote(
          `${counted(files.length, 'object')}, ${counted(sizeBytes, 'byte')} ${apply ? 'deleted' : 'would be deleted'}; ` +
            `${counted(condemnedParts, 'part')} may be deleted a day later`,
        );
      }
      finish(EXIT_DONE);
    });
}
