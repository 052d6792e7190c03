import { Command, InvalidArgumentError, Option } from 'commander';
import { explainRow } from '../explain/explainRow.ts';
import { explanationText } from '../explain/explanationText.ts';
import type { WantedKeys } from '../explain/findScoredRow.ts';
import { findState } from '../publish/findState.ts';
import { ofPublished } from './ofPublished.ts';
import { digestStart, notEmpty, parseUri, partitionName } from './options.ts';
import { EXIT_DONE, EXIT_FAILED, printJson } from './terminal.ts';

interface ExplainCommandOptions {
  readonly scores: string;
  readonly partition: string;
  readonly key: WantedKeys;
  readonly state?: string;
  readonly model?: string;
  readonly why?: boolean;
  readonly json?: boolean;
}

export function explainCommand(finish: (exitCode: number) => void): Command {
  return new Command('explain')
    .description('show where the scores of one published row come from, and score it again')
    .requiredOption('--scores <uri>', 'output root of the published scores', parseUri)
    .requiredOption('--partition <name>', 'such as dt=2022-05-06', partitionName)
    .addOption(
      new Option('--key <name=value>', 'a row key, as `inspect` prints it; repeat it for further ones')
        .argParser(addKey)
        .makeOptionMandatory(),
    )
    .option(
      '--state <sha256>',
      'manifest of an earlier state, or how it begins; what is visible by default',
      digestStart,
    )
    .option('--model <uri>', "the model's bundle, if it is no longer where it was", parseUri)
    .option('--why', 'also score the row with each feature missing')
    .option('--json', 'print the explanation as one JSON object')
    .action(async ({ scores, partition, key, state, model, why = false, json }: ExplainCommandOptions) => {
      const name = state === undefined ? 'current' : { manifest: state };
      const published = await ofPublished(scores, partition, () => findState(scores, partition, name));
      const explanation = await explainRow(published, key, {
        why,
        ...(model === undefined ? {} : { modelUri: model }),
      });
      if (json) printJson(explanation);
      else process.stdout.write(explanationText(explanation));
      const { source } = explanation;
      finish('isSame' in source && !source.isSame ? EXIT_FAILED : EXIT_DONE);
    });
}

const parseKey = notEmpty('name=value');

function addKey(given: string, before: WantedKeys | undefined): WantedKeys {
  const text = parseKey(given);
  const at = text.indexOf('=');
  // A value alone has no name: the error that the scores' schema is needed for says which there are.
  const name = text.slice(0, Math.max(0, at));
  if (before !== undefined && Object.hasOwn(before, name))
    throw new InvalidArgumentError(name === '' ? 'expected name=value' : `expected one value of ${name}`);
  return { ...before, [name]: text.slice(at + 1) };
}
