import { availableParallelism } from 'node:os';
import { Command, Option } from 'commander';
import { formatTable } from '../base/textTable.ts';
import type { ComparisonDocument, MetricName, MetricSummary } from '../comparison/comparisonDocument.ts';
import { runComparison } from '../comparison/runComparison.ts';
import { joinUri } from '../storage/uri.ts';
import { notEmpty, parseUri, wholeNumber } from './options.ts';
import { EXIT_DONE, formatSeconds, ProgressLine, printJson } from './terminal.ts';
import { readConfigDocument } from './trainCommand.ts';

interface CompareOptions {
  readonly data: string;
  readonly output: string;
  readonly seeds: number;
  readonly arms?: string[];
  readonly processes: number;
  readonly conversion?: string;
  readonly json?: boolean;
}

export function compareCommand(finish: (exitCode: number) => void): Command {
  return new Command('compare')
    .description('train NCS and what it is compared with, several seeds each, and report the differences')
    .argument('<config>', 'training config (JSON) whose split names rows to report on', parseUri)
    .requiredOption('--data <uri>', 'folder of labelled Parquet shards', parseUri)
    .requiredOption(
      '--output <dir>',
      'folder of the runs and the report; a call that was killed continues there',
      parseUri,
    )
    .addOption(new Option('--seeds <n>', 'trainings of each arm').default(5).argParser(wholeNumber(1, 100)))
    .option('--arms <names>', 'arms by name, separated by commas; all by default', (text) =>
      notEmpty('names of arms')(text).split(','),
    )
    .addOption(
      new Option('--processes <n>', 'trainings at a time')
        .default(availableParallelism(), 'one per core')
        .argParser(wholeNumber(1, 100)),
    )
    .option('--conversion <column>', "conversion label, instead of the config's own", notEmpty('a column'))
    .option('--json', 'print comparison.json')
    .action(async (configUri: string, options: CompareOptions) => {
      const { data, output, seeds, arms, processes, conversion, json } = options;
      const document = await readConfigDocument(configUri, conversion);
      const line = new ProgressLine();
      const startMillis = performance.now();
      const comparison = await runComparison(document, configUri, data, output, {
        seeds,
        processes,
        ...(arms === undefined ? {} : { arms }),
        onProgress: ({ done, total, finishedEarlier, ended }) => {
          const seconds = (performance.now() - startMillis) / 1000;
          const left = (seconds * (total - done)) / Math.max(1, done - finishedEarlier);
          const text =
            ended === undefined
              ? `${finishedEarlier} finished earlier`
              : `${ended.arm}, seed ${ended.seed}: ${formatSeconds(ended.seconds)}  ${formatSeconds(left)} left`;
          line.print(`${done}/${total}  ${text}`);
        },
      });
      line.clear();
      if (json) printJson(comparison);
      else process.stdout.write(summarise(comparison, output));
      finish(EXIT_DONE);
    });
}

function summarise({ arms, seeds }: ComparisonDocument, output: string): string {
  const metrics: readonly MetricName[] = ['click.auc', 'conversion.auc', 'ctcvr.auc'];
  const cell = ({ mean, sd }: MetricSummary) =>
    mean === null ? '-' : `${mean.toFixed(4)}${sd === null ? '' : ` ±${sd.toFixed(4)}`}`;
  const rows = [
    [`mean ±sd of ${seeds.length} seeds`, ...metrics],
    ...Object.entries(arms).map(([name, arm]) => [
      name,
      ...metrics.map((metric) => cell(arm.metrics[metric])),
    ]),
  ];
  const files = [joinUri(output, 'report.html'), joinUri(output, 'comparison.json')];
  return `${formatTable(rows, { leftColumns: 1 })}\n${files.join('\n')}\n`;
}
