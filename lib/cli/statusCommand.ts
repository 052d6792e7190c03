import { Command, Option } from 'commander';
import { Ncs4cvrError, ProblemsError } from '../base/errors.ts';
import { formatCount } from '../base/formatCount.ts';
import { UnreadableFiles } from '../base/unreadableFiles.ts';
import { type DayRange, describeRange } from '../job/listPartitions.ts';
import { readJob } from '../job/readJob.ts';
import { describeFailure, type LastFailure, recentFailures } from '../publish/lastFailure.ts';
import { readManifest } from '../publish/manifest.ts';
import { isShadowRoot } from '../publish/outputLayout.ts';
import { blockedReason, type PartitionState, partitionStates } from '../publish/partitionState.ts';
import { describeMissingInput, describePointer, type Pointer } from '../publish/pointer.ts';
import { blockedPartitions, type DamagedPartition, publicationStatus } from '../publish/publishedState.ts';
import { verifyParts } from '../publish/verifyParts.ts';
import { newestDay } from '../report/newestDay.ts';
import { statesOfRoot } from '../report/readPartitions.ts';
import { daysBetween, isoDate, parseUri } from './options.ts';
import { remediesIn, toDoLines } from './remedies.ts';
import { type StatusPage, writeStatusPage } from './statusPage.ts';
import { EXIT_DONE, EXIT_FAILED, EXIT_USAGE, printJson } from './terminal.ts';

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
      const page = html === undefined ? undefined : { file: html, withReports: reports };
      let isDamaged = false;
      if (job !== undefined) isDamaged = await statusOfJob(job, range, page, json);
      else if (scores !== undefined) isDamaged = await statusOfScores(scores, page, json, verify);
      else command.error('error: --scores or --job must be given', { exitCode: EXIT_USAGE });
      finish(isDamaged ? EXIT_FAILED : EXIT_DONE);
    });
}

/** Where a page is written, and whether the reports of its partitions are. */
type PagePlace = Pick<StatusPage, 'file' | 'withReports'>;

/** @returns whether a partition can't be told of */
async function statusOfJob(
  job: string,
  range: DayRange | undefined,
  place: PagePlace | undefined,
  json: boolean,
): Promise<boolean> {
  const document = await readJob(job);
  const found = await partitionStates(document, range, Date.now());
  let pages = '';
  if (place !== undefined) {
    const { states, missingDays } = found;
    const unreadable = [...found.damaged.map(({ damage }) => damage), ...found.unreadable];
    pages = await writeStatusPage({ ...place, root: document.scores, states, missingDays, unreadable });
  }
  if (json) printJson(found);
  else {
    // Of some days alone the newest one says nothing of the others.
    const newest = range === undefined ? newestLine(document.scores, pointersOf(found.states)) : '';
    process.stdout.write(`${statesText(found, range)}${newest}${pages}`);
  }
  return found.damaged.length > 0;
}

/** @returns whether a partition can't be told of */
async function statusOfScores(
  scores: string,
  place: PagePlace | undefined,
  json: boolean,
  verify: boolean,
): Promise<boolean> {
  const found = await visibleIn(scores);
  const { pointers, blocked, damaged, failures, unreadable } = found;
  let pages = '';
  if (place !== undefined) {
    const states = statesOfRoot(scores, pointers, blocked, failures);
    const leftOut = [...damaged.map(({ damage }) => damage), ...unreadable];
    pages = await writeStatusPage({
      ...place,
      root: scores,
      states,
      missingDays: undefined,
      unreadable: leftOut,
    });
  }
  if (!json) process.stdout.write(visibleText(scores, found) + pages);
  if (verify) await verifyPublished(scores, pointers);
  if (json) printJson({ pointers, blocked, damaged, failures, unreadable });
  return damaged.length > 0;
}

/** What an output root says of its partitions. */
interface VisibleInRoot {
  readonly pointers: readonly Pointer[];
  readonly blocked: Awaited<ReturnType<typeof blockedPartitions>>;
  readonly damaged: readonly DamagedPartition[];
  readonly failures: Awaited<ReturnType<typeof recentFailures>>;
  /** Records of runs that can't be read. */
  readonly unreadable: readonly string[];
}

async function visibleIn(scores: string): Promise<VisibleInRoot> {
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
  return { pointers, blocked, damaged, failures, unreadable: unreadable.problems };
}

function visibleText(
  scores: string,
  { pointers, blocked, damaged, failures, unreadable }: VisibleInRoot,
): string {
  const isEmpty = pointers.length + damaged.length === 0;
  return [
    isShadowRoot(scores) ? 'of shadow runs, which no reader sees:\n' : '',
    isEmpty ? 'nothing is published\n' : pointers.map(pointerLine).join(''),
    ...blocked.map((each) => `${each.partition}  BLOCKED: ${blockedReason(each)}\n`),
    ...damaged.map(damageLine),
    ...failures.map((each) => `${each.partition}  ${describeFailure(each)}\n`),
    ...unreadable.map((problem) => `${unreadableLine(problem)}\n`),
    toDoAbout(failures),
    newestLine(scores, pointers),
  ].join('');
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
    `manifest ${current.sha256.slice(0, 12)}${notes(current)}  before: ${before.join(', ') || 'nothing'}` +
    `${hold === null ? '' : `  HELD: ${hold}`}\n`
  );
}

/** What readers see by an operator's word, against that of a gate, and what they don't see by the job's. */
function notes(current: Pointer['current']): string {
  const missing = describeMissingInput(current);
  const released = current.isReleased === true ? ['RELEASED past its gates'] : [];
  return [...released, ...(missing === undefined ? [] : [missing])].map((note) => `  ${note}`).join('');
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

function toDoAbout(failures: readonly Pick<LastFailure, 'problems'>[]): string {
  return toDoLines(remediesIn(failures.flatMap(({ problems }) => problems)));
}

/** One line per partition, then what is missing and what was passed over. */
function statesText(found: Awaited<ReturnType<typeof partitionStates>>, range: DayRange | undefined): string {
  const { states, damaged, skipped, missingDays, gaps, sameTimes, unreadable } = found;
  const lines = states.map(({ partition, stage, reason, pointer, lastFailure }) =>
    [
      `${partition}  ${stage}`,
      ...(pointer === null ? [] : [`${describePointer(pointer)}${notes(pointer.current)}`]),
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
  ]
    .map((line) => `${line}\n`)
    .join('')
    .concat(toDoAbout(states.flatMap(({ lastFailure }) => lastFailure ?? [])));
}
