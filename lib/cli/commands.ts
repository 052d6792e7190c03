import type { Command } from 'commander';

/** Makes a command, which calls `finish` with its exit code. */
export type MakeCommand = (finish: (exitCode: number) => void) => Command;

/** In the order of the help. A command's code is loaded when it is called: that of all takes half a second of CPU. */
const COMMANDS: Readonly<Record<string, () => Promise<MakeCommand>>> = {
  init: async () => (await import('./initCommand.ts')).initCommand,
  train: async () => (await import('./trainCommand.ts')).trainCommand,
  compare: async () => (await import('./compareCommand.ts')).compareCommand,
  bundle: async () => (await import('./bundleCommand.ts')).bundleCommand,
  export: async () => (await import('./exportCommand.ts')).exportCommand,
  score: async () => (await import('./scoreCommand.ts')).scoreCommand,
  evaluate: async () => (await import('./inspectCommands.ts')).evaluateCommand,
  inspect: async () => (await import('./inspectCommands.ts')).inspectCommand,
  synth: async () => (await import('./synthCommand.ts')).synthCommand,
  promote: async () => (await import('./promoteCommand.ts')).promoteCommand,
  tune: async () => (await import('./tuneCommand.ts')).tuneCommand,
  plan: async () => (await import('./planCommand.ts')).planCommand,
  run: async () => (await import('./runCommand.ts')).runCommand,
  redrive: async () => (await import('./redriveCommand.ts')).redriveCommand,
  status: async () => (await import('./statusCommand.ts')).statusCommand,
  resolve: async () => (await import('./publicationCommands.ts')).resolveCommand,
  'export-scores': async () => (await import('./exportScoresCommand.ts')).exportScoresCommand,
  diff: async () => (await import('./diffCommand.ts')).diffCommand,
  explain: async () => (await import('./explainCommand.ts')).explainCommand,
  report: async () => (await import('./reportCommand.ts')).reportCommand,
  release: async () => (await import('./releaseCommand.ts')).releaseCommand,
  rollback: async () => (await import('./publicationCommands.ts')).rollbackCommand,
  gc: async () => (await import('./publicationCommands.ts')).gcCommand,
  doctor: async () => (await import('./doctorCommand.ts')).doctorCommand,
  completion: async () => (await import('./completionCommand.ts')).completionCommand,
};

/** The command that a command line names; all of them where it names none, for help and for suggestions, or completes them. */
export async function commandsFor(args: readonly string[]): Promise<readonly MakeCommand[]> {
  const name = args.find((arg) => !arg.startsWith('-'));
  if (name !== undefined && name !== 'completion' && Object.hasOwn(COMMANDS, name))
    return [await COMMANDS[name]!()];
  if (name === undefined && args.includes('--version')) return [];
  return Promise.all(Object.values(COMMANDS).map((load) => load()));
}
