import { removeTemporaryFiles } from '../storage/diskAtomicFile.ts';
import { runCli } from './runCli.ts';
import { interruptedLine } from './terminal.ts';

/** Runs the command line of this process, and says how it ended in its exit code. */
export async function startCli(): Promise<void> {
  // A reader that has seen enough (`| head`) closes the pipe; that isn't a failure.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }

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

  process.exitCode = await runCli(process.argv.slice(2));
}
