import { Command, Option } from 'commander';
import { Ncs4cvrError } from '../base/errors.ts';
import { counted, formatCount } from '../base/formatCount.ts';
import { copyState, type StateCopy } from '../copy/copyState.ts';
import { type DayRange, describeRange, isInRange } from '../job/listPartitions.ts';
import {
  DEFAULT_LAYOUT,
  layOutPartition,
  type PartitionLayout,
  parsePartitionLayout,
} from '../job/partitionLayout.ts';
import { readJob } from '../job/readJob.ts';
import { publicationStatus, refuseNoRoot } from '../publish/publishedState.ts';
import { ofPublished } from './ofPublished.ts';
import { daysBetween, isoDate, parseUri, partitionName } from './options.ts';
import {
  EXIT_DONE,
  EXIT_FAILED,
  EXIT_USAGE,
  errorToJson,
  ProgressLine,
  printJson,
  printNote,
  reportError,
} from './terminal.ts';

interface ExportScoresOptions {
  readonly scores?: string;
  readonly job?: string;
  readonly partition?: string;
  readonly from?: string;
  readonly to?: string;
  readonly output: string;
  readonly json?: boolean;
}

export function exportScoresCommand(finish: (exitCode: number) => void): Command {
  return new Command('export-scores')
    .description('copy published scores to Parquet files, for Spark, Athena or a warehouse')
    .option('--scores <uri>', 'output root of the published scores', parseUri)
    .addOption(
      new Option(
        '--job <file>',
        'job document, in place of --scores; its layout says which day a partition is',
      )
        .argParser(parseUri)
        .conflicts('scores'),
    )
    .addOption(
      new Option('--partition <name>', 'this partition; all that are published by default')
        .argParser(partitionName)
        .conflicts(['from', 'to']),
    )
    .option('--from <date>', 'all published partitions from this day, YYYY-MM-DD', isoDate)
    .option('--to <date>', 'up to this day', isoDate)
    .requiredOption(
      '--output <uri>',
      "folder of the copies: each partition's is a folder of the same name below it",
      parseUri,
    )
    .option('--json', 'print the result as one JSON object')
    .action(async (options: ExportScoresOptions, command: Command) => {
      const range = daysBetween(command, options.from, options.to);
      const { root, layout } = await placeOf(options, command);
      const partitions = await partitionsOf(root, layout, options.partition, range);
      const line = new ProgressLine();
      const startMillis = performance.now();
      let rows = 0;
      const results: object[] = [];
      let failures = 0;
      for (const partition of partitions) {
        try {
          const onRows = (count: number) => {
            rows += count;
            const perSecond = (1000 * rows) / (performance.now() - startMillis);
            line.update(`${partition}  ${formatCount(rows)} rows  ${formatCount(perSecond)} rows/s`);
          };
          const copy = await ofPublished(root, partition, () =>
            copyState(root, partition, options.output, onRows),
          );
          line.clear();
          results.push(copy);
          if (!options.json) process.stdout.write(describe(copy));
        } catch (error) {
          line.clear();
          // One that is alone fails as any command does; the others of several go on.
          if (partitions.length === 1 || !(error instanceof Ncs4cvrError)) throw error;
          reportError(error, command.optsWithGlobals().verbose === true);
          results.push({ partition, outcome: 'failed', ...errorToJson(error) });
          failures++;
        }
      }
      if (options.json) printJson({ partitions: results });
      finish(failures === 0 ? EXIT_DONE : EXIT_FAILED);
    });
}

async function placeOf(
  { scores, job }: ExportScoresOptions,
  command: Command,
): Promise<{ readonly root: string; readonly layout: PartitionLayout }> {
  if (job !== undefined) {
    const document = await readJob(job);
    return { root: document.scores, layout: document.layout };
  }
  if (scores === undefined) {
    return command.error('error: --scores or --job must be given', { exitCode: EXIT_USAGE });
  }
  return { root: scores, layout: parsePartitionLayout(DEFAULT_LAYOUT) };
}

/** @throws Ncs4cvrError PUBLISH_NO_ROOT, PUBLISH_NOTHING where there is nothing to copy */
async function partitionsOf(
  root: string,
  layout: PartitionLayout,
  only: string | undefined,
  range: DayRange | undefined,
): Promise<readonly string[]> {
  if (only !== undefined) {
    await refuseNoRoot(root);
    return [only];
  }
  const published = (await publicationStatus(root)).map((pointer) => pointer.partition);
  if (published.length > 0 && range === undefined) return published;
  const dayOf = (name: string) => {
    const laidOut = layOutPartition(layout, name);
    return typeof laidOut === 'string' ? undefined : laidOut.day;
  };
  const dated = published.filter((name) => dayOf(name) !== undefined);
  const chosen = dated.filter((name) => range !== undefined && isInRange(dayOf(name)!, range));
  if (chosen.length > 0) {
    const left = published.filter((name) => dayOf(name) === undefined);
    if (left.length > 0) printNote(`note: left out, not of ${layout.text}: ${some(left)}`);
    return chosen;
  }
  const isOfOther = published.length > 0 && dated.length === 0;
  throw new Ncs4cvrError(
    'PUBLISH_NOTHING',
    `there are no published scores to copy${isOfOther ? '; --job names the layout that says which day a partition is' : ''}`,
    {
      file: root,
      ...(range !== undefined &&
        published.length > 0 && { expected: `${describeRange(range)} of ${layout.text}` }),
      found: published.length === 0 ? 'none' : some(published),
    },
  );
}

const SHOWN = 5;

/** The last of them, and how many there are before. */
function some(names: readonly string[]): string {
  const more = names.length > SHOWN ? `, and ${names.length - SHOWN} more` : '';
  return `${names.slice(-SHOWN).join(', ')}${more}`;
}

function describe({ partition, outcome, rows, model, files, folder }: StateCopy): string {
  const count = `${formatCount(rows)} rows of ${model.version} in ${counted(files.length, 'file')}`;
  return `${partition}: ${outcome}, ${count}, ${folder}\n`;
}
