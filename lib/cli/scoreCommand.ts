import { Command } from 'commander';
import { messageOf, Ncs4cvrError } from '../base/errors.ts';
import { counted, formatCount, formatShare } from '../base/formatCount.ts';
import { mayPass } from '../base/retry.ts';
import { loadBundle } from '../bundle/loadBundle.ts';
import type { ScoredFiles } from '../report/scoreReport.ts';
import { type ScoringReport, scoreInput } from '../scoring/scoreInput.ts';
import { storageFor } from '../storage/openStorage.ts';
import { filesOption, parseUri, shardInput, workersOption } from './options.ts';
import { pageLine, reportDone, writePage } from './reportCommand.ts';
import { EXIT_DONE, EXIT_FAILED, formatSeconds, ProgressLine, printJson, reportError } from './terminal.ts';

/** Points of a chart lie at least so small a share of the time apart: a few hundred, however long a call takes. */
const MOST_POINTS = 100;

interface ScoreOptions {
  readonly model: string;
  readonly input?: string;
  readonly files?: string;
  readonly output: string;
  readonly workers: number;
  readonly report?: string;
  readonly json?: boolean;
}

export function scoreCommand(finish: (exitCode: number) => void): Command {
  return new Command('score')
    .description('score Parquet shards into Arrow files, one per shard')
    .requiredOption('--model <dir>', 'model bundle', parseUri)
    .option('--input <uri>', 'a shard, a folder of shards, or a partition such as dt=2022-05-06/', parseUri)
    .addOption(filesOption())
    .requiredOption(
      '--output <uri>',
      'folder of the Arrow files; for one shard also a file ending in .arrow',
      parseUri,
    )
    .addOption(workersOption())
    .option('--report <file>', 'write a page that tells of it', parseUri)
    .option('--json', 'print the result as one JSON object')
    .action(async (options: ScoreOptions, command: Command) => {
      const input = shardInput(command, { input: options.input, files: options.files });
      const bundle = await loadBundle(storageFor(options.model), options.model);
      const line = new ProgressLine();
      const startMillis = performance.now();
      const began = Date.now();
      const points: [number, number][] = [];
      const report = await scoreInput(input, options.output, bundle, {
        workers: options.workers,
        onProgress: ({ rows, fractionDone, shardsDone, shardCount }) => {
          const seconds = (performance.now() - startMillis) / 1000;
          notePoint(points, seconds, rows);
          const left = formatSeconds((seconds * (1 - fractionDone)) / fractionDone);
          line.update(
            `${formatCount(rows)} rows  ${formatCount(rows / seconds)} rows/s  ` +
              `shard ${Math.min(shardsDone + 1, shardCount)}/${shardCount}  ${left} left`,
          );
        },
      });
      line.clear();
      const { report: file, workers } = options;
      const page = { report, bundle, workers, startMillis: began, progress: points };
      const isReported = file === undefined || (await reportScored(file, page));
      for (const { error } of report.failures) reportError(error, command.optsWithGlobals().verbose === true);
      if (options.json) printJson(toJson(report));
      else process.stdout.write(summarise(report, options.output) + pageLine(isReported ? file : undefined));
      const isWhole = report.failures.length + report.notStarted.length === 0;
      finish(isWhole && isReported ? EXIT_DONE : EXIT_FAILED);
    });
}

/** @returns whether it was written */
async function reportScored(file: string, page: ScoredFiles): Promise<boolean> {
  const { scoreReport } = await import('../report/scoreReport.ts');
  return reportDone('the scores are written, their report is not', () => writePage(file, scoreReport(page)));
}

/** Points of a chart of the rows by time: no closer than a tenth of a second, and than a hundredth of the time so far. */
function notePoint(points: [number, number][], seconds: number, rows: number): void {
  const last = points.at(-1);
  if (last !== undefined && seconds - last[0] < Math.max(0.1, seconds / MOST_POINTS)) return;
  points.push([seconds, rows]);
}

function summarise(
  { rows, seconds, shards, failures, notStarted, ignored, drift }: ScoringReport,
  output: string,
): string {
  const lines = drift.map(
    ({ name, missing, missingInTraining, unseen, unseenInTraining }) =>
      `note: feature '${name}': ${formatShare(missing)} of rows missing (${formatShare(missingInTraining)} in training), ` +
      `${formatShare(unseen)} of values unseen (${formatShare(unseenInTraining)})`,
  );
  if (ignored.length > 0)
    lines.push(
      `note: ${counted(ignored.length, 'file')} left out, which ${ignored.length === 1 ? 'is no Parquet shard' : 'are no Parquet shards'}`,
    );
  const failed = failures.length === 0 ? '' : `, ${counted(failures.length, 'shard')} failed`;
  const rest = notStarted.length === 0 ? '' : `, ${notStarted.length} were not started: the disk is full`;
  lines.push(
    shards.length === 0
      ? `nothing scored${failed}${rest}`
      : `${counted(rows, 'row')} in ${counted(shards.length, 'shard')} scored in ${seconds.toFixed(1)} s ` +
          `(${formatCount(rows / seconds)} rows/s)${failed}${rest}; written to ${writtenTo(output, shards)}`,
  );
  return `${lines.join('\n')}\n`;
}

/** The file where there is one, else the folder of all. */
function writtenTo(output: string, shards: ScoringReport['shards']): string {
  return shards.length === 1 ? shards[0]!.outputUri : output;
}

function toJson({
  rows,
  seconds,
  shards,
  failures,
  notStarted,
  ignored,
  profile,
  drift,
}: ScoringReport): object {
  return {
    rows,
    seconds,
    rowsPerSecond: rows / seconds,
    shards: shards.map(({ inputUri, outputUri, rowCount, sizeBytes }) => ({
      input: inputUri,
      output: outputUri,
      rows: rowCount,
      sizeBytes,
    })),
    failures: failures.map(({ inputUri, error }) => ({
      input: inputUri,
      code: error instanceof Ncs4cvrError ? error.code : null,
      message: messageOf(error),
      retryable: mayPass(error),
    })),
    notStarted,
    ignored,
    features: profile.features.map(({ name, values, missing, unseen }) => ({
      name,
      values,
      missing,
      unseen,
    })),
    drift,
  };
}
