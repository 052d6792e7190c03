import { Argument, Command, InvalidArgumentError } from 'commander';
import { nearestName } from '../base/nearestName.ts';
import { EXIT_DONE, printJson } from './terminal.ts';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

/** Of a command: its name, what it is for, its options. */
interface CompletedCommand {
  readonly name: string;
  readonly description: string;
  readonly options: readonly {
    readonly flag: string;
    readonly description: string;
    readonly takesValue: boolean;
  }[];
}

export function completionCommand(finish: (exitCode: number) => void): Command {
  return new Command('completion')
    .description('print a script that completes commands and options in a shell')
    .addArgument(new Argument('<shell>', 'shell to complete in').choices(SHELLS).argParser(parseShell))
    .option('--json', 'print the commands and options as one JSON object instead')
    .addHelpText(
      'after',
      '\nbash, zsh: source <(ncs4cvr completion bash)\nfish: ncs4cvr completion fish | source',
    )
    .action((shell: Shell, { json }: { readonly json?: boolean }, command: Command) => {
      const commands = completedCommands(command.parent!);
      if (json) printJson({ commands });
      else process.stdout.write(SCRIPTS[shell](commands));
      finish(EXIT_DONE);
    });
}

function parseShell(text: string): Shell {
  const shell = SHELLS.find((each) => each === text);
  if (shell !== undefined) return shell;
  const nearest = nearestName(text, SHELLS);
  const meant = nearest === undefined ? '' : `\n(Did you mean ${nearest}?)`;
  throw new InvalidArgumentError(`expected one of ${SHELLS.join(', ')}${meant}`);
}

function completedCommands(program: Command): CompletedCommand[] {
  return program.commands.map((command) => ({
    name: command.name(),
    description: command.description(),
    options: [...command.options, ...program.options].map(({ long, description, required, optional }) => ({
      flag: long!,
      description,
      takesValue: required || optional,
    })),
  }));
}

const SCRIPTS: Readonly<Record<Shell, (commands: readonly CompletedCommand[]) => string>> = {
  bash: bashScript,
  // zsh runs bash's completions, which say as much as is needed.
  zsh: (commands) => `autoload -U +X bashcompinit && bashcompinit\n${bashScript(commands)}`,
  fish: fishScript,
};

function bashScript(commands: readonly CompletedCommand[]): string {
  const cases = commands.map(
    ({ name, options }) => `    ${name}) words="${options.map(({ flag }) => flag).join(' ')} --help" ;;`,
  );
  return `_ncs4cvr() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="${commands.map(({ name }) => name).join(' ')} help"
  else
    case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
    esac
  fi
  if [ "$COMP_CWORD" -eq 1 ] || [ "\${current#-}" != "$current" ]; then
    COMPREPLY=($(compgen -W "$words" -- "$current"))
  else
    local IFS=$'\\n'
    COMPREPLY=($(compgen -f -- "$current"))
  fi
}
complete -o filenames -F _ncs4cvr ncs4cvr
`;
}

function fishScript(commands: readonly CompletedCommand[]): string {
  const quoted = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const lines = commands.flatMap(({ name, description, options }) => [
    `complete -c ncs4cvr -n __fish_use_subcommand -f -a ${name} -d ${quoted(description)}`,
    ...options.map(
      ({ flag, description: what, takesValue }) =>
        `complete -c ncs4cvr -n '__fish_seen_subcommand_from ${name}' -l ${flag.slice(2)} ${takesValue ? '-r ' : ''}-d ${quoted(what)}`,
    ),
  ]);
  return `${lines.join('\n')}\n`;
}
