import { AsyncLocalStorage } from 'node:async_hooks';
import { runCli } from '../../lib/cli/runCli.ts';
import type { FinishedRun } from './runMain.ts';

interface Output {
  stdout: string;
  stderr: string;
}

const outputs = new AsyncLocalStorage<Output>();
const running = new Set<Output>();

for (const name of ['stdout', 'stderr'] as const) {
  const write = process[name].write.bind(process[name]);
  process[name].write = ((...given: Parameters<typeof write>) => {
    // An event of a thread belongs to no call.
    const output = outputs.getStore() ?? (running.size === 1 ? [...running][0] : undefined);
    if (output === undefined) return write(...given);
    const [text] = given;
    output[name] += typeof text === 'string' ? text : Buffer.from(text).toString();
    return true;
  }) as typeof write;
}

/**
 * Runs a command line in this process: what it prints and its exit code are those of a process of its own, without the seconds
 * that one takes to load its code and to start its threads. For claims about processes, their signals and deaths there is `runMain`.
 */
export async function callMain(...args: readonly string[]): Promise<FinishedRun> {
  const output: Output = { stdout: '', stderr: '' };
  running.add(output);
  try {
    const exitCode = await outputs.run(output, () => runCli(args));
    return { exitCode, ...output };
  } finally {
    running.delete(output);
  }
}
