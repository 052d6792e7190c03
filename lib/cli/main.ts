#!/usr/bin/env node
import nodeModule from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';

keepCompiledCode();
// Not before: what is imported with this module is compiled first.
await import('./startCli.ts').then(({ startCli }) => startCli()).catch(refuseTooFewFiles);

/** Modules are opened many at a time, before anything of the command runs that could tell of errors. */
function refuseTooFewFiles(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EMFILE' && error.code !== 'ENFILE') throw error;
  process.stderr.write(
    `error: the command can't start, since it may open too few files: ${error.message}\n` +
      'what to do: raise the limit, such as by `ulimit -n 1024` before it in the same shell\n',
  );
  process.exitCode = 1;
}

/**
 * Has V8's compiled code kept for the next call: a tenth of a short command's CPU. In the user's own folder, for whoever may write
 * there decides what is run; Node's default is below /tmp. Where it can't be written, and before Node 22.1, everything is compiled
 * anew. NODE_COMPILE_CACHE and NODE_DISABLE_COMPILE_CACHE are Node's own and go before.
 */
function keepCompiledCode(): void {
  try {
    const folder =
      process.env.NODE_COMPILE_CACHE ??
      join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'ncs4cvr', 'compiled');
    // Node 20's types don't have it either.
    const { enableCompileCache } = nodeModule as {
      readonly enableCompileCache?: (folder: string) => unknown;
    };
    if (enableCompileCache === undefined) return;
    enableCompileCache(folder);
    // For threads and processes to come.
    process.env.NODE_COMPILE_CACHE = folder;
  } catch {
    // A user without a home.
  }
}
