import { Command } from 'commander';
import { formatCount } from '../base/formatCount.ts';
import { formatTable } from '../base/textTable.ts';
import { loadBundle } from '../bundle/loadBundle.ts';
import { describeUri } from '../inspect/describeUri.ts';
import { descriptionText } from '../inspect/description.ts';
import type { BinaryReport, FunnelReport } from '../metrics/funnelMetrics.ts';
import { evaluateInput } from '../scoring/evaluateInput.ts';
import { storageFor } from '../storage/openStorage.ts';
import { parseUri, workersOption } from './options.ts';
import { EXIT_DONE, EXIT_FAILED, formatMetric, printJson } from './terminal.ts';

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
      if (json) printJson(report);
      else process.stdout.write(evaluationTable(report));
      finish(EXIT_DONE);
    });
}

/** Rows of the table: key of the report, title. */
const ROWS = [
  ['click', 'click'],
  ['conversion', 'conversion (clicked)'],
  ['ctcvr', 'click and conversion'],
] as const;

/**
 * The metrics as people read them, with what is not exact or not there said below.
 * Exported for tests: none has data above the exact limit.
 */
export function evaluationTable(report: FunnelReport): string {
  const names = ['auc', 'gauc', 'logLoss', 'calibration', 'ece'] as const;
  const row = (label: string, metrics: BinaryReport) => [
    label,
    formatCount(metrics.rows),
    ...names.map((name) => formatMetric(metrics[name])),
  ];
  const rows = [['', 'rows', ...names], ...ROWS.map(([key, title]) => row(title, report[key]))];
  const notes = ROWS.flatMap(([key, title]) => limits(title, report[key]));
  return [formatTable(rows, { leftColumns: 1 }), ...notes, ''].join('\n');
}

function limits(title: string, { auc, aucError, gaucRefusal }: BinaryReport): string[] {
  const lines: string[] = [];
  if (auc !== null && aucError != null) {
    lines.push(`${title}: auc binned, within ±${roundedUp(aucError)} of the exact one`);
  }
  if (gaucRefusal !== undefined) lines.push(`${title}: no gauc, ${gaucRefusal}`);
  return lines;
}

/** Two significant digits; a bound must not be rounded down. */
function roundedUp(bound: number): string {
  const nearest = bound.toPrecision(2);
  if (Number(nearest) >= bound) return nearest;
  const unit = 10 ** (Math.floor(Math.log10(bound)) - 1);
  return (Number(nearest) + unit).toPrecision(2);
}

export function inspectCommand(finish: (exitCode: number) => void): Command {
  return new Command('inspect')
    .description('tell what a bundle, a shard, a folder of shards, a prediction file or an ONNX model is')
    .argument(
      '<uri>',
      'bundle, folder of shards, Parquet shard, Arrow file of scores or .onnx file',
      parseUri,
    )
    .option('--verify', 'load a bundle as for scoring: checksums, interface and golden rows')
    .option('--json', 'print it as one JSON object')
    .action(async (uri: string, { json, verify }: { readonly json?: boolean; readonly verify?: boolean }) => {
      const description = await describeUri(uri, verify === undefined ? {} : { verify });
      if (json) printJson(description);
      else process.stdout.write(`${descriptionText(description)}\n`);
      finish(description.broken === undefined ? EXIT_DONE : EXIT_FAILED);
    });
}
