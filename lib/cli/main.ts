#!/usr/bin/env node
import { runCli } from './runCli.ts';

// A reader that has seen enough (`| head`) closes the pipe; that isn't a failure.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

process.exitCode = await runCli(process.argv.slice(2));
