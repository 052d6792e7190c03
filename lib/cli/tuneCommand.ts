import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { counted, formatCount, formatDollars } from '../base/formatCount.ts';
import { formatTable } from '../base/textTable.ts';
import { type Prices, readPrices } from '../estimate/readPrices.ts';
import { absoluteUri } from '../storage/uri.ts';
import { chooseSample, type Sample } from '../tune/chooseSample.ts';
import { measureSample, type SampleUse } from '../tune/measureSample.ts';
import { type Recommendation, recommendFunction } from '../tune/recommendFunction.ts';
import { parseUri, positiveNumber, wholeNumber } from './options.ts';
import { EXIT_DONE, EXIT_FAILED } from './terminal.ts';

interface TuneOptions {
  readonly model: string;
  readonly input: string;
  readonly sampleRows: number;
  readonly rows?: number;
  readonly deadline: number;
  readonly budget?: number;
  readonly concurrency: number;
  readonly speed: number;
  readonly prices?: string;
  readonly json?: boolean;
}

export function tuneCommand(finish: (exitCode: number) => void): Command {
  const number = (flags: string, description: string, parser: (text: string) => number, value?: number) => {
    const option = new Option(flags, description).argParser(parser);
    return value === undefined ? option : option.default(value);
  };
  return new Command('tune')
    .description('measure a sample of an input, and recommend memory, concurrency and rows of a part')
    .requiredOption('--model <dir>', 'model bundle', parseUri)
    .requiredOption(
      '--input <uri>',
      'a shard, a folder of shards, or a partition such as dt=2022-05-06/',
      parseUri,
    )
    .addOption(number('--sample-rows <n>', 'rows to measure with', wholeNumber(1, 100_000_000), 200_000))
    .addOption(
      number(
        '--rows <n>',
        'rows of a night; those of the input by default',
        wholeNumber(1, 1_000_000_000_000),
      ),
    )
    .addOption(number('--deadline <minutes>', 'in which a night has to be scored', positiveNumber, 60))
    .addOption(number('--budget <dollars>', 'that a night may cost; any amount by default', positiveNumber))
    .addOption(
      number('--concurrency <n>', 'functions that the account runs at a time', wholeNumber(1, 10_000), 1000),
    )
    .addOption(
      number('--speed <factor>', 'of a vCPU of Lambda beside a core of this machine', positiveNumber, 1),
    )
    .option(
      '--prices <file>',
      'what the cost is worked out with, instead of the prices that come along',
      parseUri,
    )
    .option('--json', 'print the result as one JSON object')
    .action(async (options: TuneOptions) => {
      const { deadline: deadlineMinutes, budget: budgetDollars, sampleRows } = options;
      const prices = await readPrices(options.prices);
      const input = absoluteUri(options.input);
      const sample = await chooseSample(input, sampleRows);
      const shortSample = await chooseSample(input, Math.ceil(sampleRows * SHORT_SHARE));
      const measured = await measureSamples(absoluteUri(options.model), sample, shortSample);
      const inputRows = options.rows ?? sample.inputRows;
      const isEstimate = options.rows === undefined && !sample.isWhole;
      const night = {
        inputRows,
        isEstimate,
        deadlineMinutes,
        budgetDollars,
        mostConcurrency: options.concurrency,
      };
      const recommended = recommendFunction({ ...measured, ...night, relativeSpeed: options.speed }, prices);
      const text = options.json
        ? JSON.stringify({ sampleRows: sample.rows, ...night, measured, recommended })
        : [measuredLines(measured), ...recommendedLines(recommended, night, prices)].join('\n');
      process.stdout.write(`${text}\n`);
      finish(recommended.meetsDeadline && recommended.meetsBudget ? EXIT_DONE : EXIT_FAILED);
    });
}

const SHORT_SHARE = 0.25;

type Measured = Readonly<Record<'short' | 'one' | 'two', SampleUse>>;

async function measureSamples(modelUri: string, sample: Sample, shortSample: Sample): Promise<Measured> {
  const folder = await mkdtemp(join(tmpdir(), 'ncs4cvr-tune-'));
  try {
    const measure = ({ spans }: Sample, workers: number) =>
      measureSample({ modelUri, spans, workers, outputUri: join(folder, 'scores.arrow') });
    // The first process fills the disk's cache, and counts for nothing.
    await measure(shortSample, 1);
    const short = await measure(shortSample, 1);
    return { short, one: await measure(sample, 1), two: await measure(sample, 2) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const megabytes = (bytes: number) => formatCount(bytes / 2 ** 20);

function measuredLines({ short, one, two }: Measured): string {
  const line = (threads: string, { rows, loadSeconds, scoreSeconds, cpuSeconds, peakBytes }: SampleUse) => [
    formatCount(rows),
    threads,
    loadSeconds.toFixed(2),
    scoreSeconds.toFixed(2),
    formatCount(rows / scoreSeconds),
    cpuSeconds.toFixed(2),
    megabytes(peakBytes),
  ];
  const head = ['rows', 'threads', 'load s', 'score s', 'rows/s', 'CPU s', 'peak MB'];
  return formatTable([head, line('1', short), line('1', one), line('2', two)], { leftColumns: 0 });
}

interface Night {
  readonly inputRows: number;
  /** Not every shard was opened to count its rows. */
  readonly isEstimate: boolean;
  readonly deadlineMinutes: number;
  readonly budgetDollars: number | undefined;
}

function recommendedLines(
  { memoryMegabytes, threads, concurrency, targetRows, minutes, dollars, ...meets }: Recommendation,
  { inputRows, isEstimate, deadlineMinutes, budgetDollars }: Night,
  { architecture, region, date }: Prices,
): string[] {
  const misses = [
    ...(meets.meetsDeadline ? [] : [`no function is done in ${deadlineMinutes} minutes`]),
    ...(meets.meetsBudget ? [] : [`nothing that is done in time costs less than $${budgetDollars}`]),
  ];
  return [
    `for ${isEstimate ? 'about ' : ''}${formatCount(inputRows)} rows${isEstimate ? ', by the size of the shards outside the sample' : ''}: memory ${formatCount(memoryMegabytes)} MB (${counted(threads, 'thread')}), ` +
      `concurrency ${formatCount(concurrency)}, targetRows ${formatCount(targetRows)}`,
    `about ${minutes.toFixed(1)} minutes and ${formatDollars(dollars)} (${architecture} in ${region}, prices of ${date}; ` +
      'as if a vCPU there were as fast as a core here, unless --speed says otherwise)',
    ...misses.map((miss) => `note: ${miss}; this comes nearest`),
  ];
}
