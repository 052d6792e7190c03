import type { Command, Option } from 'commander';
import { nearestName } from '../base/nearestName.ts';
import { EXIT_USAGE } from './terminal.ts';

/**
 * Ends a command line with an unknown option before commander looks for missing ones: `--modle x` should be told that it
 * is no option, not that `--model` is missing.
 * @param args the command line, the command's name included
 * @throws CommanderError
 */
export function refuseUnknownOptions(program: Command, args: readonly string[]): void {
  const at = args.findIndex((word) => !word.startsWith('-'));
  const command = program.commands.find((each) => each.name() === args[at]);
  if (command === undefined) return;
  const known = [...command.options, ...program.options];
  const names = [...known.map(({ long }) => long!), '--help'];
  for (let i = at + 1; i < args.length; i++) {
    const word = args[i]!;
    if (word === '--') return;
    if (!word.startsWith('--')) continue;
    const [name, value] = word.split('=', 2) as [string, string?];
    const option = known.find(({ long }) => long === name);
    if (option === undefined && !names.includes(name))
      command.error(unknownOption(name, names), { exitCode: EXIT_USAGE });
    if (option !== undefined && takesNext(option) && value === undefined) i++;
  }
}

/** An option's value may begin with a dash itself, such as a reason in words. */
function takesNext({ required }: Option): boolean {
  return required;
}

/** What commands call the shards that they read: whoever comes from one command to the next takes the other's word. */
const SHARDS = ['--sample', '--data', '--input'];

function unknownOption(name: string, names: readonly string[]): string {
  const ofShards = SHARDS.includes(name) ? names.find((each) => SHARDS.includes(each)) : undefined;
  const nearest = ofShards ?? nearestName(name, names);
  return `error: unknown option '${name}'${nearest === undefined ? '' : `\n(Did you mean ${nearest}?)`}`;
}
