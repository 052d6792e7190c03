import type { EventEmitter } from 'node:events';
import type { Command } from 'commander';
import { commandLine } from '../../lib/cli/runCli.ts';

/** docs/reference/commands.md: what `--help` prints, of the program and of every command. */
export async function commandsPage(): Promise<string> {
  const program = await commandLine([], () => undefined);
  const own = helpOf(program);
  // On a page, what all commands have in common stands once.
  (program as unknown as EventEmitter).removeAllListeners('afterAllHelp');
  const commands = program.commands.map((command) => {
    command.configureHelp({ showGlobalOptions: false });
    return `## ${command.name()}\n\n\`\`\`text\n${helpOf(command)}\n\`\`\``;
  });
  return [
    '# Commands',
    '',
    '<!-- Written by `npm run docs:reference` from the help of the commands. -->',
    '',
    'What `npx ncs4cvr --help` and `npx ncs4cvr COMMAND --help` print.',
    '',
    `\`\`\`text\n${own}\n\`\`\``,
    '',
    commands.join('\n\n'),
    '',
  ].join('\n');
}

/** With 80 columns, whatever the terminal has. */
function helpOf(command: Command): string {
  let help = '';
  command.configureOutput({
    writeOut: (text) => {
      help += text;
    },
    getOutHelpWidth: () => 80,
    getOutHasColors: () => false,
  });
  command.outputHelp();
  return help.trim();
}
