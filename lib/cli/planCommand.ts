import { Command, InvalidArgumentError, Option } from 'commander';
import { encodeJson } from '../base/jsonDocument.ts';
import { estimateRun, type RunEstimate } from '../estimate/estimateRun.ts';
import { type Prices, readPrices } from '../estimate/readPrices.ts';
import { DEFAULT_TARGET_ROWS } from '../publish/cutPartition.ts';
import { makeRunPlan } from '../publish/makeRunPlan.ts';
import type { RunPlan } from '../publish/runPlan.ts';
import { type PartitionChoice, selectPartitions } from '../publish/selectPartitions.ts';
import { writeWhole } from '../storage/openStorage.ts';
import { absoluteUri } from '../storage/uri.ts';
import { parseUri, wholeNumber } from './options.ts';
import { EXIT_DONE, EXIT_USAGE, formatCount } from './terminal.ts';

interface PlanOptions {
  readonly model: string;
  readonly input: string;
  readonly scores: string;
  readonly output?: string;
  readonly prices?: string;
  readonly partition?: string;
  readonly from?: string;
  readonly to?: string;
  readonly targetRows: number;
  readonly liftHold?: boolean;
  readonly json?: boolean;
}

export function planCommand(finish: (exitCode: number) => void): Command {
  return new Command('plan')
    .description('show what scoring and publishing partitions would do, skip and cost')
    .requiredOption('--model <uri>', 'model bundle', parseUri)
    .requiredOption('--input <uri>', 'folder of partitions such as dt=2022-05-06/', parseUri)
    .requiredOption('--scores <uri>', 'output root of the published scores', parseUri)
    .option('--partition <name>', 'this partition; the newest by default')
    .option('--from <date>', 'all partitions dt=YYYY-MM-DD from this date', isoDate)
    .option('--to <date>', 'up to this date', isoDate)
    .addOption(
      new Option('--target-rows <n>', 'rows of a part; a part holds whole row groups')
        .default(DEFAULT_TARGET_ROWS)
        .argParser(wholeNumber(1, 1_000_000_000)),
    )
    .option('--lift-hold', 'publish partitions that were rolled back, too')
    .option('--output <file>', 'write the plan, for `run --plan`', parseUri)
    .option('--prices <file>', 'what the estimate is made with, instead of infra/prices.json', parseUri)
    .option('--json', 'print the plan as one JSON object')
    .action(async (options: PlanOptions, command: Command) => {
      const prices = await readPrices(options.prices);
      const partitions = await selectPartitions(absoluteUri(options.input), choiceOf(options, command));
      const plan = await makeRunPlan(
        {
          modelUri: absoluteUri(options.model),
          root: absoluteUri(options.scores),
          targetRows: options.targetRows,
          liftHold: options.liftHold ?? false,
        },
        partitions,
      );
      if (options.output !== undefined) await writeWhole(options.output, encodeJson(plan));
      const estimate = estimateRun(plan, prices);
      const text = options.json ? JSON.stringify({ ...plan, estimate }) : summarise(plan, estimate, prices);
      process.stdout.write(`${text}\n`);
      finish(EXIT_DONE);
    });
}

function choiceOf({ partition, from, to }: PlanOptions, command: Command): PartitionChoice {
  if (partition !== undefined && (from !== undefined || to !== undefined)) {
    command.error('error: --partition and --from/--to exclude each other', { exitCode: EXIT_USAGE });
  }
  if (partition !== undefined) return { kind: 'one', partition };
  if (from === undefined && to === undefined) return { kind: 'newest' };
  return { kind: 'dates', from: from ?? '0000-01-01', to: to ?? '9999-12-31' };
}

function summarise({ partitions, model }: RunPlan, estimate: RunEstimate, prices: Prices): string {
  const lines = partitions.map(({ partition, spans, done, sizeBytes }) => {
    const shards = new Set(spans.map(({ inputUri }) => inputUri)).size;
    const rows = spans.reduce((sum, span) => sum + span.rows, 0);
    const skips =
      done.length === 0 ? '' : `, ${done.length} done already for the same input, model and contract`;
    return (
      `${partition}  ${shards} shards  ${formatCount(rows)} rows  ${formatCount(sizeBytes)} bytes  ` +
      `${spans.length} parts${skips}`
    );
  });
  const { rows, rowsDone, minutes, dollars } = estimate;
  return [
    ...lines,
    `to score with ${model.version}: ${formatCount(rows - rowsDone)} rows; on Lambda about ` +
      `${minutes.toFixed(1)} minutes and $${dollars.toFixed(2)} (${prices.architecture} in ${prices.region}, ` +
      `prices of ${prices.date})`,
  ].join('\n');
}

function isoDate(text: string): string {
  if (/^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text))) return text;
  throw new InvalidArgumentError('expected a date, YYYY-MM-DD');
}
