import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The built program, as `npx ncs4cvr` runs it. */
export const mainScript = fileURLToPath(new URL('../../dist/lib/cli/main.js', import.meta.url));

export interface FinishedRun {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command line in a process of its own. */
export function runMain(...args: readonly string[]): Promise<FinishedRun> {
  return run(process.execPath, [mainScript, ...args]);
}

export function run(program: string, args: readonly string[], cwd = process.cwd()): Promise<FinishedRun> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    const output = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        output[name] += text;
      });
    }
    child.on('error', reject);
    child.on('close', (exitCode) => resolve({ exitCode, ...output }));
  });
}
