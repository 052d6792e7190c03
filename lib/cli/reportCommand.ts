import { Command, Option } from 'commander';
import { messageOf, Ncs4cvrError } from '../base/errors.ts';
import { loadBundle, type ModelBundle } from '../bundle/loadBundle.ts';
import { estimateRun } from '../estimate/estimateRun.ts';
import { readPrices } from '../estimate/readPrices.ts';
import { below, pointerPath } from '../publish/outputLayout.ts';
import type { LabelledRows } from '../report/labelledSample.ts';
import type { ModelMeasures } from '../report/measureModel.ts';
import { isKnown, readPartition } from '../report/readPartition.ts';
import { storageFor, writeWhole } from '../storage/openStorage.ts';
import { ofPublished } from './ofPublished.ts';
import { parseUri, partitionName, wholeNumber } from './options.ts';
import { EXIT_DONE, EXIT_USAGE, ProgressLine, printError, printJson } from './terminal.ts';

interface ReportOptions {
  readonly scores?: string;
  readonly partition?: string;
  readonly prices?: string;
  readonly model?: string;
  readonly data?: string;
  readonly rows: number;
  readonly output: string;
  readonly json?: boolean;
}

const MEASURED_ROWS = 20_000;

export function reportCommand(finish: (exitCode: number) => void): Command {
  return new Command('report')
    .description('write a page that tells of a published partition, or of a model')
    .option('--scores <uri>', 'output root of the published scores', parseUri)
    .option('--partition <name>', 'such as dt=2022-05-06', partitionName)
    .option('--prices <file>', 'what costs are counted with, instead of the prices that come along', parseUri)
    .addOption(
      new Option('--model <dir>', 'model bundle: how it was trained, and what it shares')
        .argParser(parseUri)
        .conflicts(['scores', 'partition', 'prices']),
    )
    .addOption(
      new Option(
        '--data <uri>',
        'with a model: labelled shards, for the importance of features, reliability and slices',
      )
        .argParser(parseUri)
        .conflicts('scores'),
    )
    .addOption(
      new Option('--rows <n>', 'with --data: rows that are measured, at equal distances')
        .default(MEASURED_ROWS)
        .argParser(wholeNumber(100, 10_000_000)),
    )
    .requiredOption('--output <file>', 'the page: one HTML file without scripts', parseUri)
    .option('--json', 'print what the page is made of as one JSON object')
    .action(async (options: ReportOptions, command: Command) => {
      const { scores, partition, model, output, json = false } = options;
      const hasPartition = scores !== undefined && partition !== undefined;
      if (!hasPartition && model === undefined) {
        command.error('error: either --scores and --partition, or --model is needed', {
          exitCode: EXIT_USAGE,
        });
      }
      if (model === undefined && options.data !== undefined) {
        command.error('error: --data needs --model', { exitCode: EXIT_USAGE });
      }
      if (options.data === undefined && command.getOptionValueSource('rows') === 'cli') {
        command.error('error: --rows needs --data', { exitCode: EXIT_USAGE });
      }
      const record = hasPartition
        ? await ofPublished(scores, partition, () => reportPartition(scores, partition, options))
        : await reportModel(model!, options);
      if (json) printJson(record);
      else process.stdout.write(`${output}\n`);
      finish(EXIT_DONE);
    });
}

async function reportPartition(
  scores: string,
  partition: string,
  { prices, output }: ReportOptions,
): Promise<object> {
  const record = await readPartition(scores, partition);
  if (!isKnown(record)) {
    throw new Ncs4cvrError(
      'PUBLISH_NOTHING',
      'nothing was ever published for this partition, and no run of it is known',
      { file: below(scores, pointerPath(partition)) },
    );
  }
  const { partitionReport } = await import('../report/runReport.ts');
  const atPrices = await readPrices(prices);
  await writePage(output, partitionReport(record, atPrices));
  const { unitsPlan, ...printed } = record;
  if (unitsPlan === undefined) return printed;
  return { ...printed, unitsEstimate: estimateRun(unitsPlan.plan, unitsPlan.bundleGets, atPrices) };
}

async function reportModel(uri: string, { data, rows, output }: ReportOptions): Promise<object> {
  const bundle = await loadBundle(storageFor(uri), uri);
  const measures = await writeModelReport(output, bundle, data, rows);
  return { model: uri, modelVersion: bundle.manifest.modelVersion, measures: measures ?? null };
}

/**
 * The page of a model.
 * @param source labelled rows, or a URI of them; nothing is measured without
 * @param rows that are measured
 */
export async function writeModelReport(
  output: string,
  bundle: ModelBundle,
  source: LabelledRows | string | undefined,
  rows = MEASURED_ROWS,
): Promise<ModelMeasures | undefined> {
  const [{ modelReport }, { measureModel }] = await Promise.all([
    import('../report/modelReport.ts'),
    import('../report/measureModel.ts'),
  ]);
  const { uri, manifest, reference } = bundle;
  const line = new ProgressLine();
  const onProgress = (done: number, all: number) => line.update(`feature ${done} of ${all} measured`);
  const measures =
    source === undefined ? undefined : await measureModel(bundle, source, { rows, onProgress });
  line.clear();
  await writePage(output, modelReport({ uri, manifest, reference, measures }));
  return measures;
}

/**
 * Writes a page of something that is done: one that can't be written is told on stderr and takes nothing with it.
 * @param what is done and what is not, in words
 * @param advice how to get the page all the same; a line of its own
 * @returns whether it was written
 */
export async function reportDone(
  what: string,
  write: () => Promise<unknown>,
  advice?: string,
): Promise<boolean> {
  try {
    await write();
    return true;
  } catch (error) {
    printError([`${what}: ${messageOf(error)}`, ...(advice ? [advice] : [])].join('\n'));
    return false;
  }
}

/** Where a page is, below what a command prints as text. @param file undefined without one */
export function pageLine(file: string | undefined): string {
  return file === undefined ? '' : `page written to ${file}\n`;
}

/** A page, whole or not at all. */
export async function writePage(uri: string, page: string): Promise<void> {
  await writeWhole(uri, new TextEncoder().encode(page));
}
