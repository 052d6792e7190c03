import { Command } from 'commander';
import { decodeCommentedJson } from '../base/commentedJson.ts';
import { formatCount } from '../base/formatCount.ts';
import { isRecord } from '../base/jsonDocument.ts';
import type { JobDocument } from '../job/jobDocument.ts';
import { isFileList } from '../job/jobInput.ts';
import { readJob } from '../job/readJob.ts';
import { withJobSplit } from '../recipe/jobSplit.ts';
import { parseTrainingConfig } from '../recipe/trainingConfig.ts';
import { type TrainedModel, trainModel } from '../recipe/trainModel.ts';
import type { ShardInput } from '../storage/listShards.ts';
import { readDocument } from '../storage/readDocument.ts';
import type { TrainingProgress } from '../training/trainingProgress.ts';
import { filesOption, notEmpty, parseUri, shardInput } from './options.ts';
import { pageLine, reportDone, writeModelReport } from './reportCommand.ts';
import { EXIT_DONE, EXIT_FAILED, formatMetric, formatSeconds, ProgressLine, printJson } from './terminal.ts';

interface TrainOptions {
  readonly data?: string;
  readonly files?: string;
  readonly job?: string;
  readonly output: string;
  readonly conversion?: string;
  readonly report?: string;
  readonly json?: boolean;
}

export function trainCommand(finish: (exitCode: number) => void): Command {
  return new Command('train')
    .description('fit the contract, train a model and write it as a bundle')
    .argument(
      '<config>',
      'training config (JSON): contract, labels, split, network, training settings',
      parseUri,
    )
    .option('--data <uri>', 'folder of labelled Parquet shards', parseUri)
    .addOption(filesOption())
    .option(
      '--job <file>',
      "job document, whose partitions and shardPattern the config's split takes; also its input, unless --data or --files is given",
      parseUri,
    )
    .requiredOption('--output <dir>', 'folder of the new bundle; must not hold one', parseUri)
    .option('--conversion <column>', "conversion label, instead of the config's own", notEmpty('a column'))
    .option(
      '--report <file>',
      'write a page of the model, measured on the report rows, or else on the validation rows',
      parseUri,
    )
    .option('--json', 'print the result as one JSON object')
    .action(async (configUri: string, options: TrainOptions, command: Command) => {
      const { data, files, output, conversion, report, json } = options;
      const job = options.job === undefined ? undefined : await readJob(options.job);
      const isOfJob = job !== undefined && data === undefined && files === undefined;
      const input = isOfJob ? inputOf(job) : shardInput(command, { data, files });
      const document = await readConfigDocument(configUri, conversion);
      const config = parseTrainingConfig(
        job === undefined ? document : withJobSplit(document, job, configUri),
        configUri,
      );
      const line = new ProgressLine();
      const trained = await trainModel(config, input, output, {
        onNote: (text) => line.print(`note: ${text}`),
        onStage: (stage) => line.print(`${stage} ...`),
        onSearch: (text) => line.print(text),
        onProgress: (progress) => showProgress(line, progress),
      });
      line.clear();
      const isReported = report === undefined || (await reportTrained(report, trained));
      if (json) {
        const ofReport = report === undefined ? {} : { report: isReported ? report : null };
        printJson({ ...resultOf(output, trained), ...ofReport });
      } else process.stdout.write(summaryOf(output, trained) + pageLine(isReported ? report : undefined));
      finish(isReported ? EXIT_DONE : EXIT_FAILED);
    });
}

/** What `--json` prints. */
function resultOf(output: string, { bundle, network, notes }: TrainedModel): Record<string, unknown> {
  const { best, rowsPerSecond, seconds } = network;
  const { modelVersion, multiplyAddsPerRow } = bundle.manifest;
  const { epoch, step, metrics: validation } = best;
  return {
    ...{ model: output, modelVersion, epoch, step, seconds, rowsPerSecond, validation },
    ...{ multiplyAddsPerRow, notes },
  };
}

/** The same in a line of text. */
function summaryOf(output: string, { bundle, network }: TrainedModel): string {
  const { best, rowsPerSecond, seconds } = network;
  const { modelVersion, multiplyAddsPerRow } = bundle.manifest;
  return (
    `${output}: model ${modelVersion}, best at step ${best.step} (epoch ${best.epoch + 1}); ` +
    `validation click AUC ${formatMetric(best.metrics.click.auc)}, ` +
    `conversion AUC ${formatMetric(best.metrics.conversion.auc)}; ` +
    `trained ${formatSeconds(seconds)} at ${formatCount(rowsPerSecond)} rows/s; ` +
    `${multiplyAddsPerRow!.scored} multiply-adds per row to score, ${multiplyAddsPerRow!.trained} as trained\n`
  );
}

function inputOf({ input }: JobDocument): ShardInput {
  return isFileList(input) ? { filesUri: input } : input;
}

/** @returns whether it was written */
async function reportTrained(file: string, { bundle, split }: TrainedModel): Promise<boolean> {
  const { rowsToMeasure } = await import('../report/labelledSample.ts');
  const advice = `\`ncs4cvr report --model ${bundle.uri} --output FILE\` writes one`;
  const write = () => writeModelReport(file, bundle, rowsToMeasure(split));
  return reportDone('the bundle is written, its report is not', write, advice);
}

function showProgress(line: ProgressLine, progress: TrainingProgress): void {
  const { epoch, epochs, rowsPerSecond, losses, secondsLeft, validation, isLearningMasks } = progress;
  const state =
    `${isLearningMasks ? 'masks ' : ''}epoch ${epoch + 1}/${epochs}  ${formatCount(rowsPerSecond)} rows/s  ` +
    `loss click ${losses.click.toFixed(4)} conversion ${losses.conversion.toFixed(4)}`;
  const left = `${formatSeconds(secondsLeft)} left`;
  if (validation === undefined) line.update(`${state}  ${left}`);
  else {
    const { click, conversion } = validation.metrics;
    line.print(
      `${state}  AUC click ${formatMetric(click.auc)} conversion ${formatMetric(conversion.auc)}  ${left}`,
    );
  }
}

/**
 * A training config's JSON, comments left out, not yet checked.
 * @param conversion column to take as the conversion label instead of the config's own
 * @throws Ncs4cvrError TRAINING_CONFIG_INVALID for anything but JSON
 */
export async function readConfigDocument(uri: string, conversion?: string): Promise<unknown> {
  const bytes = await readDocument(uri);
  const document = decodeCommentedJson(bytes, { code: 'TRAINING_CONFIG_INVALID', file: uri });
  if (conversion === undefined || !isRecord(document)) return document;
  const labels = isRecord(document.labels) ? document.labels : {};
  return { ...document, labels: { ...labels, conversion } };
}
