import { Command, CommanderError } from 'commander';
import { CODE_VERSION } from '../base/codeVersion.ts';
import { compareCommand } from './compareCommand.ts';
import { diffCommand } from './diffCommand.ts';
import { explainCommand } from './explainCommand.ts';
import { exportCommand } from './exportCommand.ts';
import { evaluateCommand, inspectCommand } from './inspectCommands.ts';
import { planCommand } from './planCommand.ts';
import { promoteCommand } from './promoteCommand.ts';
import { gcCommand, resolveCommand, rollbackCommand, statusCommand } from './publicationCommands.ts';
import { redriveCommand } from './redriveCommand.ts';
import { releaseCommand } from './releaseCommand.ts';
import { runCommand } from './runCommand.ts';
import { scoreCommand } from './scoreCommand.ts';
import { synthCommand } from './synthCommand.ts';
import { EXIT_DONE, EXIT_FAILED, EXIT_USAGE, reportError } from './terminal.ts';
import { trainCommand } from './trainCommand.ts';
import { tuneCommand } from './tuneCommand.ts';

/** Runs one command line; returns the exit code, see terminal.ts. */
export async function runCli(args: readonly string[]): Promise<number> {
  let exitCode: number = EXIT_DONE;
  const program = new Command('ncs4cvr')
    .description('Trains NCS4CVR models and scores Parquet shards into Arrow files with pCTR and pCVR.')
    .version(CODE_VERSION)
    .option('--verbose', 'print stack traces of errors')
    .showHelpAfterError('(add --help for the options)')
    // Of every command too, with the options that all of them take.
    .configureHelp({ showGlobalOptions: true })
    .addHelpText(
      'afterAll',
      '\nExit codes: 0 done, 1 failed (part of the work may be done), 2 wrong usage; of `run` also 3 held or superseded, 4 refused, or blocked by a gate.',
    )
    .exitOverride();
  const finish = (code: number) => {
    exitCode = code;
  };
  for (const command of [
    trainCommand,
    compareCommand,
    exportCommand,
    scoreCommand,
    evaluateCommand,
    inspectCommand,
    synthCommand,
    promoteCommand,
    tuneCommand,
    planCommand,
    runCommand,
    redriveCommand,
    statusCommand,
    resolveCommand,
    diffCommand,
    explainCommand,
    releaseCommand,
    rollbackCommand,
    gcCommand,
  ]) {
    program.addCommand(command(finish).exitOverride().copyInheritedSettings(program));
  }
  try {
    await program.parseAsync([...args], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) {
      // Help and version end here too, with exit code 0; commander has printed everything.
      return error.exitCode === 0 ? EXIT_DONE : EXIT_USAGE;
    }
    reportError(error, args.includes('--verbose'));
    return EXIT_FAILED;
  }
}
