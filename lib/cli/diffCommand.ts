import { Command, Option } from 'commander';
import { SCORE_NAMES } from '../base/tasks.ts';
import { type DiffOptions, diffStates } from '../diff/diffStates.ts';
import { diffPage, diffText } from '../diff/renderDiff.ts';
import { findState, type StateName } from '../publish/findState.ts';
import { writeWhole } from '../storage/openStorage.ts';
import { ofPublished } from './ofPublished.ts';
import { digestStart, notEmpty, parseUri, partitionName, wholeNumber } from './options.ts';
import { pageLine } from './reportCommand.ts';
import { EXIT_DONE, printJson } from './terminal.ts';

interface DiffCommandOptions {
  readonly scores: string;
  readonly partition: string;
  readonly against?: string;
  readonly from?: string;
  readonly to?: string;
  readonly group?: string;
  readonly slice?: string;
  readonly rankBy: DiffOptions['rankBy'];
  readonly top: number;
  readonly movers: number;
  readonly html?: string;
  readonly json?: boolean;
}

/** Also of the diff that a shadow run ends with. */
export const DIFF_DEFAULTS = { rankBy: 'pctcvr', top: 10, movers: 10 } as const;

/** Names of each row are held and printed. */
const MOST_MOVERS = 10_000;

export function diffCommand(finish: (exitCode: number) => void): Command {
  return new Command('diff')
    .description(
      'show how ranks and scores differ between two states of a partition, joined by their row keys',
    )
    .requiredOption('--scores <uri>', 'output root of the published scores', parseUri)
    .requiredOption('--partition <name>', 'such as dt=2022-05-06', partitionName)
    .option(
      '--against <uri>',
      'compare with the same partition of this output root, such as of a shadow run; by default what is visible ' +
        'is compared with what was visible before',
      parseUri,
    )
    .option('--from <sha256>', 'manifest to compare, or how it begins', digestStart)
    .option('--to <sha256>', 'manifest to compare it with, or how it begins', digestStart)
    .option(
      '--group <key>',
      'rank the rows that are equal in this row key, such as user_id; all rows by default',
      notEmpty('a row key'),
    )
    .option('--slice <key>', 'tell the scores apart by the values of this row key too', notEmpty('a row key'))
    .addOption(
      new Option('--rank-by <score>', 'what rows are ranked by')
        .choices(SCORE_NAMES)
        .default(DIFF_DEFAULTS.rankBy),
    )
    .addOption(
      new Option('--top <k>', 'K of the top-K overlap')
        .default(DIFF_DEFAULTS.top)
        .argParser(wholeNumber(1, 1_000_000)),
    )
    .addOption(
      new Option('--movers <n>', 'how many of the rows that moved most to name')
        .default(DIFF_DEFAULTS.movers)
        .argParser(wholeNumber(0, MOST_MOVERS)),
    )
    .option('--html <file>', 'write the tables as a page', parseUri)
    .option('--json', 'print the diff as one JSON object')
    .action(async (options: DiffCommandOptions) => {
      const { scores, partition, against, from, to, group, slice, rankBy, top, movers } = options;
      const named = (manifest: string | undefined, otherwise: StateName) =>
        manifest === undefined ? otherwise : { manifest };
      const stateOf = (root: string, name: StateName) =>
        ofPublished(root, partition, () => findState(root, partition, name));
      const first = await stateOf(scores, named(from, against === undefined ? 'before' : 'current'));
      const second = await stateOf(against ?? scores, named(to, 'current'));
      const diff = await diffStates(first, second, {
        ...(group === undefined ? {} : { group }),
        ...(slice === undefined ? {} : { slice }),
        ...{ rankBy, top, movers },
      });
      if (options.html !== undefined) await writeWhole(options.html, Buffer.from(diffPage(diff)));
      if (options.json) printJson(diff);
      else process.stdout.write(diffText(diff) + pageLine(options.html));
      finish(EXIT_DONE);
    });
}
