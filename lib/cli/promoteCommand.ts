import { Command, InvalidArgumentError, Option } from 'commander';
import { digestOfBundle } from '../channels/channelDocument.ts';
import {
  describeHistory,
  type PromotionOutcome,
  promoteBundle,
  rollBackChannel,
} from '../channels/promote.ts';
import { CHANNEL_NAME } from '../job/jobDocument.ts';
import { absoluteUri } from '../storage/uri.ts';
import { digestStart, parseUri } from './options.ts';
import { EXIT_DONE, EXIT_USAGE, printJson } from './terminal.ts';

interface PromoteOptions {
  readonly models: string;
  readonly channel: string;
  readonly back?: boolean;
  readonly to?: string;
  readonly json?: boolean;
}

export function promoteCommand(finish: (exitCode: number) => void): Command {
  return new Command('promote')
    .description('make a channel name a bundle, or an earlier one again; runs score with what it names')
    .argument('[bundle]', 'copied to its place below the models root and verified there', parseUri)
    .requiredOption('--models <uri>', 'root of bundles/ and channels/', parseUri)
    .requiredOption('--channel <name>', 'such as live', channelName)
    .addOption(new Option('--back', 'without a bundle: the one before, again').conflicts('to'))
    .addOption(
      new Option(
        '--to <sha256>',
        'without a bundle: this earlier one again, or how its digest begins',
      ).argParser(digestStart),
    )
    .option('--json', 'print the channel as one JSON object')
    .action(async (bundle: string | undefined, options: PromoteOptions, command: Command) => {
      const { models, channel, back = false, to, json = false } = options;
      const isBack = back || to !== undefined;
      if (isBack === (bundle !== undefined)) {
        command.error('error: either a bundle, --back or --to is needed', { exitCode: EXIT_USAGE });
      }
      const place = { models: absoluteUri(models), channel };
      const nowMillis = Date.now();
      const outcome =
        bundle === undefined
          ? await rollBackChannel(place, { nowMillis, ...(to === undefined ? {} : { to }) })
          : await promoteBundle(absoluteUri(bundle), place, nowMillis);
      if (json) printJson({ outcome: outcome.kind, ...outcome.channel });
      else process.stdout.write(summarise(outcome, back));
      finish(EXIT_DONE);
    });
}

function summarise({ kind, channel }: PromotionOutcome, isStepBack: boolean): string {
  const { current, generation } = channel;
  const why =
    kind === 'unchanged' && isStepBack ? ', it was rolled back already; --to names another one' : '';
  return (
    `${channel.channel}: ${kind}${why}, ${current.model.version} (${digestOfBundle(current).slice(0, 12)}), ` +
    `generation ${generation}; before: ${describeHistory(channel) || 'nothing'}\n`
  );
}

function channelName(text: string): string {
  if (CHANNEL_NAME.test(text)) return text;
  throw new InvalidArgumentError('expected a name of a-z, 0-9, dots, dashes and underscores');
}
