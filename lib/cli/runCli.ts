import { Command, CommanderError } from 'commander';
import { CODE_VERSION } from '../base/codeVersion.ts';
import { commandsFor } from './commands.ts';
import {
  EXIT_DONE,
  EXIT_FAILED,
  EXIT_USAGE,
  errorToJson,
  printJson,
  reportError,
  stderrManners,
  usageToJson,
} from './terminal.ts';
import { refuseUnknownOptions } from './unknownOptions.ts';

/** Runs one command line; returns the exit code, see terminal.ts. */
export async function runCli(args: readonly string[]): Promise<number> {
  let exitCode: number = EXIT_DONE;
  const program = await commandLine(args, (code) => {
    exitCode = code;
  });
  const isJson = args.includes('--json');
  stderrManners.isQuiet = args.includes('--quiet');
  try {
    refuseUnknownOptions(program, args);
    await program.parseAsync([...args], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) {
      // Help and version end here too, with exit code 0; commander has printed everything.
      if (error.exitCode === 0) return EXIT_DONE;
      if (isJson) printJson(usageToJson(inPlainWords(error.message)));
      return EXIT_USAGE;
    }
    reportError(error, args.includes('--verbose'));
    if (isJson) printJson(errorToJson(error));
    return EXIT_FAILED;
  }
}

/** Commander's words for an argument that its parser refuses, which then says what was expected. */
function inPlainWords(message: string): string {
  return message.replace(
    /command-argument value '(.*)' is invalid for argument '(.*?)'\. /s,
    (_, value: string, argument: string) => `'${value}' is no <${argument}>: `,
  );
}

/**
 * The program with the command that a command line names, or with all of them where it names none.
 * @param finish gets the command's exit code
 * @internal exported for the reference of commands
 */
export async function commandLine(
  args: readonly string[],
  finish: (exitCode: number) => void,
): Promise<Command> {
  const program = new Command('ncs4cvr')
    .description('Trains NCS4CVR models and scores Parquet shards into Arrow files with pCTR and pCVR.')
    .version(CODE_VERSION)
    .option('--verbose', 'print stack traces of errors')
    .option('--quiet', 'print no progress and no notes, only errors')
    .showHelpAfterError('(add --help for the options)')
    // Of every command too, with the options that all of them take.
    .configureHelp({ showGlobalOptions: true })
    .addHelpText(
      'afterAll',
      '\nExit codes: 0 done, 1 failed (part of the work may be done), 2 wrong usage;\nof `run` also 3 held or superseded, 4 refused, or blocked by a gate.',
    )
    .configureOutput({ outputError: (text, write) => write(inPlainWords(text)) })
    .exitOverride();
  for (const command of await commandsFor(args)) {
    program.addCommand(command(finish).exitOverride().copyInheritedSettings(program));
  }
  return program;
}
