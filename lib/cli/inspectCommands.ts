import { Command } from 'commander';
import { formatTable } from '../base/textTable.ts';
import { loadBundle } from '../bundle/loadBundle.ts';
import { describeUri } from '../inspect/describeUri.ts';
import type { BinaryReport, FunnelReport } from '../metrics/funnelMetrics.ts';
import { evaluateInput } from '../scoring/evaluateInput.ts';
import { storageFor } from '../storage/openStorage.ts';
import { parseUri, workersOption } from './options.ts';
import { EXIT_DONE, formatCount, formatMetric } from './terminal.ts';

interface EvaluateOptions {
  readonly model: string;
  readonly input: string;
  readonly workers: number;
  readonly json?: boolean;
}

export function evaluateCommand(finish: (exitCode: number) => void): Command {
  return new Command('evaluate')
    .description('measure a model on labelled shards, with the labels it was trained for')
    .requiredOption('--model <dir>', 'model bundle', parseUri)
    .requiredOption('--input <uri>', 'labelled shard, folder or partition', parseUri)
    .addOption(workersOption())
    .option('--json', 'print the metrics as one JSON object')
    .action(async ({ model, input, workers, json }: EvaluateOptions) => {
      const bundle = await loadBundle(storageFor(model), model);
      const report = await evaluateInput(input, bundle, workers);
      process.stdout.write(json ? `${JSON.stringify(report)}\n` : table(report));
      finish(EXIT_DONE);
    });
}

function table(report: FunnelReport): string {
  const names = ['auc', 'gauc', 'logLoss', 'calibration', 'ece'] as const;
  const row = (label: string, metrics: BinaryReport) => [
    label,
    formatCount(metrics.rows),
    ...names.map((name) => formatMetric(metrics[name])),
  ];
  const rows = [
    ['', 'rows', ...names],
    row('click', report.click),
    row('conversion (clicked)', report.conversion),
    row('click and conversion', report.ctcvr),
  ];
  return `${formatTable(rows, { leftColumns: 1 })}\n`;
}

export function inspectCommand(finish: (exitCode: number) => void): Command {
  return new Command('inspect')
    .description('tell what a bundle, a shard or a prediction file is')
    .argument('<uri>', 'bundle folder, Parquet shard or Arrow prediction file', parseUri)
    .action(async (uri: string) => {
      process.stdout.write(`${await describeUri(uri)}\n`);
      finish(EXIT_DONE);
    });
}
