import { removeTemporaryFiles } from '../storage/diskAtomicFile.ts';
import { runCli } from './runCli.ts';
import { EXIT_DONE, EXIT_FAILED, interruptedLine } from './terminal.ts';

/** Runs the command line of this process, and says how it ended in its exit code. */
export async function startCli(): Promise<void> {
  // A reader that has seen enough (`| head`) closes the pipe; that isn't a failure. A result that a full disk didn't take is one,
  // but no reason to leave work undone.
  let isResultLost = false;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE' || isResultLost) return;
    isResultLost = true;
    process.stderr.write(`error: what this command prints can't be written: ${error.message}\n`);
  });
  // Who can't be told of an error sees the exit code.
  process.stderr.on('error', () => {});

  // As shells count: 128 and the signal's number.
  for (const [signal, exitCode] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    process.on(signal, () => {
      removeTemporaryFiles();
      process.stderr.write(`${process.stderr.isTTY ? '\n' : ''}${interruptedLine(process.argv.slice(2))}\n`);
      process.exit(exitCode);
    });
  }

  const exitCode = await runCli(process.argv.slice(2));
  // Errors of streams are told in a later turn.
  await new Promise(setImmediate);
  process.exitCode = isResultLost && exitCode === EXIT_DONE ? EXIT_FAILED : exitCode;
}
