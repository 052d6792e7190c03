import { Command, InvalidArgumentError, Option } from 'commander';
import { messageOf } from '../base/errors.ts';
import { formatCount, formatShare } from '../base/formatCount.ts';
import {
  CONFLICTS,
  type Conflict,
  type FunnelOptions,
  parseFunnelOptions,
} from '../synthesis/funnelOptions.ts';
import { synthesise } from '../synthesis/synthesise.ts';
import { isoDate, parseUri } from './options.ts';
import { EXIT_DONE, EXIT_USAGE, formatMetric, printJson } from './terminal.ts';

type SynthOptions = Readonly<Record<string, unknown>> & {
  readonly output: string;
  readonly conflict?: Conflict;
  readonly json?: boolean;
};

/** Knob and what it is; the option's name in kebab-case is the key of FunnelOptions. */
const KNOBS: readonly (readonly [string, string])[] = [
  ['--seed <n>', 'decides every row (1)'],
  ['--days <n>', 'partitions, at least 3 (6)'],
  ['--validation-days <n>', 'of them, to choose a checkpoint on (1)'],
  ['--report-days <n>', 'of them, the last ones, to report on (1)'],
  ['--rows-per-day <n>', 'impressions per partition (40000)'],
  ['--fields <n>', 'categorical fields (8)'],
  ['--vocabulary <n>', 'values per field (60)'],
  ['--units <n>', 'hidden features of the truth (16)'],
  ['--feature-relatedness <rho>', '0 to 1: do both tasks need the same hidden features (0.5)'],
  ['--output-relatedness <r>', '-1 to 1: do they weigh them alike (0.5)'],
  ['--click-rate <p>', 'P(click) (0.2)'],
  ['--conversion-rate <p>', 'P(conversion | click) (0.2)'],
  ['--gain <x>', 'strength of the signal (2)'],
  ['--selection-bias <x>', 'weight of a hidden cause of both (0)'],
  ['--clickbait-fields <n>', 'fields that mean nothing to conversions (0)'],
  ['--drift <radians>', 'turn of the truth per day (0)'],
];

export function synthCommand(finish: (exitCode: number) => void): Command {
  const command = new Command('synth')
    .description('write a synthetic funnel whose true pCTR and pCVR are known')
    .requiredOption('--output <dir>', 'empty folder of the partitions, truth.json and config.json', parseUri)
    .addOption(
      new Option('--conflict <level>', 'sets both kinds of relatedness').choices(Object.keys(CONFLICTS)),
    )
    .option('--first-date <date>', 'date of the first partition (2024-03-01)', isoDate);
  for (const [flags, description] of KNOBS) command.option(flags, description, parseNumber);
  return command
    .option('--json', 'print what was drawn as one JSON object')
    .action(async ({ output, conflict, json, verbose: _verbose, ...given }: SynthOptions) => {
      const options = readOptions(command, { ...(conflict && CONFLICTS[conflict]), ...given });
      const realised = await synthesise(options, output);
      if (json) printJson({ output, options, ...realised });
      else {
        const { clickRate, conversionRate, logitCorrelation } = realised;
        const converted =
          conversionRate === null ? '' : `, ${formatShare(conversionRate)} of those converted`;
        process.stdout.write(
          `${output}: ${formatCount(realised.rows)} impressions in ${options.days} partitions, ` +
            `${formatShare(clickRate)} clicked${converted}\n` +
            `best possible AUC on the days to report on${options.selectionBias > 0 ? ', the hidden cause known' : ''}: click ${formatMetric(realised.bestClickAuc)}, ` +
            `conversion ${formatMetric(realised.bestConversionAuc)}; correlation of the true logits ` +
            `${logitCorrelation === null ? '-' : logitCorrelation.toFixed(3)}\ntruth.json, config.json (for train and compare)\n`,
        );
      }
      finish(EXIT_DONE);
    });
}

/** An option out of its range is wrong usage. */
function readOptions(command: Command, given: object): FunnelOptions {
  try {
    return parseFunnelOptions(given);
  } catch (error) {
    command.error(`error: ${messageOf(error)}`, { exitCode: EXIT_USAGE });
  }
}

function parseNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('expected a number');
  return value;
}
