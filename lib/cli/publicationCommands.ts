import { Command, Option } from 'commander';
import { Ncs4cvrError, ProblemsError } from '../base/errors.ts';
import { UnreadableFiles } from '../base/unreadableFiles.ts';
import { type DayRange, describeRange } from '../job/listPartitions.ts';
import { readJob } from '../job/readJob.ts';
import { announce } from '../publish/announce.ts';
import { readAudit } from '../publish/audit.ts';
import { collectGarbage, LEAST_GARBAGE_DAYS } from '../publish/collectGarbage.ts';
import { eventBridgeAnnouncer } from '../publish/eventBridgeAnnouncer.ts';
import { describeFailure, recentFailures } from '../publish/lastFailure.ts';
import { readManifest } from '../publish/manifest.ts';
import { below, isShadowRoot } from '../publish/outputLayout.ts';
import { blockedReason, type PartitionState, partitionStates } from '../publish/partitionState.ts';
import type { Pointer } from '../publish/pointer.ts';
import {
  blockedPartitions,
  type DamagedPartition,
  publicationStatus,
  refuseNoRoot,
  resolvePartition,
} from '../publish/publishedState.ts';
import { rollBack } from '../publish/rollBack.ts';
import { verifyParts } from '../publish/verifyParts.ts';
import { newestDay } from '../report/newestDay.ts';
import { statesOfRoot } from '../report/readPartitions.ts';
import { absoluteUri } from '../storage/uri.ts';
import {
  daysBetween,
  digestStart,
  isoDate,
  notEmpty,
  parseUri,
  partitionName,
  wholeNumber,
} from './options.ts';
import { writeStatusPage } from './statusPage.ts';
import { ofPublished } from './suggestPartition.ts';
import {
  counted,
  EXIT_DONE,
  EXIT_FAILED,
  EXIT_USAGE,
  formatCount,
  printJson,
  printNote,
} from './terminal.ts';

interface StatusOptions {
  readonly scores?: string;
  readonly job?: string;
  readonly from?: string;
  readonly to?: string;
  readonly html?: string;
  readonly reports?: boolean;
  readonly json?: boolean;
  readonly verify?: boolean;
}

export function statusCommand(finish: (exitCode: number) => void): Command {
  return new Command('status')
    .description(
      'show what is published: model, rows, generation and hold of every partition; and what a gate has blocked',
    )
    .option('--scores <uri>', 'output root of the published scores', parseUri)
    .addOption(
      new Option(
        '--job <file>',
        'job document: also which partitions of its input lack scores, or have changed since they were published',
      )
        .argParser(parseUri)
        .conflicts('scores'),
    )
    .addOption(new Option('--from <date>', 'with a job: from this day, YYYY-MM-DD').argParser(isoDate))
    .addOption(new Option('--to <date>', 'with a job: up to this day').argParser(isoDate))
    .option(
      '--html <file>',
      'write a page too: calendar, rows, scores and drift from day to day, and every partition',
      parseUri,
    )
    .option('--reports', "with --html: write every partition's report into reports/ beside it, and link them")
    .option(
      '--json',
      'print the pointers and what is blocked, or with a job its partitions, as one JSON object',
    )
    .addOption(
      new Option(
        '--verify',
        'read every published part as well, and fail unless all have the bytes that were published',
      ).conflicts('job'),
    )
    .action(async (options: StatusOptions, command: Command) => {
      const { scores, job, from, to, html, reports = false, json = false, verify = false } = options;
      if (reports && html === undefined) {
        command.error('error: --reports needs --html', { exitCode: EXIT_USAGE });
      }
      const range = daysBetween(command, from, to);
      if (range !== undefined && job === undefined) {
        command.error('error: --from and --to need --job', { exitCode: EXIT_USAGE });
      }
      if (job !== undefined) {
        const document = await readJob(job);
        const found = await partitionStates(document, range, Date.now());
        if (html !== undefined) {
          const { states, missingDays } = found;
          const unreadable = [...found.damaged.map(({ damage }) => damage), ...found.unreadable];
          const page = { file: html, root: document.scores, states, missingDays, unreadable };
          await writeStatusPage({ ...page, withReports: reports });
        }
        if (json) printJson(found);
        else {
          // Of some days alone the newest one says nothing of the others.
          const newest = range === undefined ? newestLine(document.scores, pointersOf(found.states)) : '';
          process.stdout.write(`${statesText(found, range)}${newest}`);
        }
        finish(found.damaged.length > 0 ? EXIT_FAILED : EXIT_DONE);
      } else if (scores !== undefined) {
        const damages = new Map<string, DamagedPartition>();
        const onDamaged = (each: DamagedPartition) => damages.set(each.partition, each);
        const pointers = await publicationStatus(scores, onDamaged);
        const blocked = await blockedPartitions(scores, onDamaged);
        const damaged = [...damages.values()];
        const unreadable = new UnreadableFiles();
        // What is held or blocked has a reason of its own.
        const explained = new Set(
          [...blocked, ...pointers.filter(({ hold }) => hold !== null)].map(({ partition }) => partition),
        );
        const failures = (await recentFailures(scores, unreadable)).filter(
          ({ partition }) => !explained.has(partition),
        );
        if (html !== undefined) {
          const states = statesOfRoot(scores, pointers, blocked);
          await writeStatusPage({
            ...{ file: html, root: scores, states, missingDays: undefined },
            unreadable: [...damaged.map(({ damage }) => damage), ...unreadable.problems],
            withReports: reports,
          });
        }
        const head = isShadowRoot(scores) ? 'of shadow runs, which no reader sees:\n' : '';
        const isEmpty = pointers.length + damaged.length === 0;
        const text = isEmpty ? 'nothing is published\n' : pointers.map(pointerLine).join('');
        const lines = blocked.map((each) => `${each.partition}  BLOCKED: ${blockedReason(each)}\n`).join('');
        const notes = [
          ...failures.map((each) => `${each.partition}  ${describeFailure(each)}\n`),
          ...unreadable.problems.map((problem) => `${unreadableLine(problem)}\n`),
        ].join('');
        if (!json) {
          const newest = newestLine(scores, pointers);
          process.stdout.write(`${head}${text}${lines}${damaged.map(damageLine).join('')}${notes}${newest}`);
        }
        if (verify) await verifyPublished(scores, pointers);
        if (json) printJson({ pointers, blocked, damaged, failures, unreadable: unreadable.problems });
        finish(damaged.length > 0 ? EXIT_FAILED : EXIT_DONE);
      } else {
        command.error('error: --scores or --job must be given', { exitCode: EXIT_USAGE });
      }
    });
}

/** @throws ProblemsError PUBLISH_PART_DAMAGED with every damaged part, or manifest, of every partition */
async function verifyPublished(scores: string, pointers: readonly Pointer[]): Promise<void> {
  const problems: string[] = [];
  let damaged = 0;
  for (const { current } of pointers) {
    try {
      await verifyParts(scores, await readManifest(scores, current));
    } catch (error) {
      if (!(error instanceof Ncs4cvrError) || error.retryable) throw error;
      damaged++;
      problems.push(...(error instanceof ProblemsError ? error.problems : [error.message]));
    }
  }
  if (damaged === 0) return;
  const summary = `${damaged} of ${pointers.length} partitions aren't what was published`;
  throw new ProblemsError('PUBLISH_PART_DAMAGED', summary, problems, { file: scores });
}

function pointerLine({ partition, current, generation, history, hold }: Pointer): string {
  const before = history.map(({ sha256, model }) => `${sha256.slice(0, 12)} (${model.version})`);
  return (
    `${partition}  ${current.model.version}  ${formatCount(current.rows)} rows  generation ${generation}  ` +
    `manifest ${current.sha256.slice(0, 12)}  before: ${before.join(', ') || 'nothing'}` +
    `${hold === null ? '' : `  HELD: ${hold}`}\n`
  );
}

function pointersOf(states: readonly PartitionState[]): Pointer[] {
  return states.flatMap(({ pointer }) => (pointer === null ? [] : [pointer]));
}

/** How fresh the scores are: what the page and `newestPublishedAgeHours` tell of. */
function newestLine(root: string, pointers: readonly Pointer[]): string {
  const newest = isShadowRoot(root) ? undefined : newestDay(pointers.map(({ partition }) => partition));
  if (newest === undefined) return '';
  const { day, region } = newest;
  return `newest published day: ${day}${region === '' ? '' : ` (${region}, the furthest behind)`}\n`;
}

function damageLine({ partition, damage }: DamagedPartition): string {
  return `${partition}  can't be told: ${damage}\n`;
}

function unreadableLine(problem: string): string {
  return `left out, since it can't be read: ${problem}`;
}

/** One line per partition, then what is missing and what was passed over. */
function statesText(found: Awaited<ReturnType<typeof partitionStates>>, range: DayRange | undefined): string {
  const { states, damaged, skipped, missingDays, gaps, sameTimes, unreadable } = found;
  const lines = states.map(({ partition, stage, reason, pointer, lastFailure }) =>
    [
      `${partition}  ${stage}`,
      ...(pointer === null ? [] : [describePointer(pointer)]),
      ...(reason === undefined ? [] : [reason]),
      ...(lastFailure === undefined ? [] : [describeFailure(lastFailure)]),
    ].join('  '),
  );
  return [
    ...(lines.length + damaged.length === 0
      ? [`the input has no partition${range === undefined ? '' : ` of ${describeRange(range)}`}`]
      : lines),
    ...damaged.map((each) => damageLine(each).trimEnd()),
    ...missingDays.map((day) => `${day}  no partition`),
    ...gaps.map(({ day, lacks }) => `${day}  without ${lacks.join(', ')}, which days around it have`),
    ...sameTimes.map((names) => `${names.join(', ')}  one time by their names, published each for itself`),
    ...skipped.map(({ name, reason }) => `${name}  passed over: ${reason}`),
    ...unreadable.map(unreadableLine),
    '',
  ].join('\n');
}

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

/** What readers see of a partition, such as `650 rows of v7, generation 3`. */
export function describePointer({ current, generation }: Pointer): string {
  return `${formatCount(current.rows)} rows of ${current.model.version}, generation ${generation}`;
}
