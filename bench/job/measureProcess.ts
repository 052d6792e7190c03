import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** What a command used, with all processes that it started. */
export interface ProcessUse {
  /** User and system time. */
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
  /** Most resident memory at a time, of all processes together. */
  readonly peakBytes: number;
  readonly stdout: string;
}

const POLL_MILLIS = 50;
/** The shell's own `times` names what its children used: the kernel adds up a process's time when its parent has waited for it. */
const TIMED = '"$@" 3>&-; status=$?; times >&3; exit $status';

/** @throws Error with the end of the command's output when it fails */
export async function measureProcess(
  command: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<ProcessUse> {
  const startMillis = performance.now();
  const child = spawn('sh', ['-c', TIMED, 'sh', ...command], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
  });
  const [stdout, stderr, times] = [1, 2, 3].map((descriptor) => collect(child.stdio[descriptor]!));
  let peakBytes = 0;
  const poll = setInterval(() => {
    peakBytes = Math.max(peakBytes, residentBytes(child.pid!));
  }, POLL_MILLIS);
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  }).finally(() => clearInterval(poll));
  if (exitCode !== 0) {
    const output = `${stdout!.text}\n${stderr!.text}`.trim().slice(-2000);
    throw new Error(`${command.join(' ')} ended with ${exitCode}:\n${output}`);
  }
  return {
    cpuSeconds: childSeconds(times!.text),
    wallSeconds: (performance.now() - startMillis) / 1000,
    peakBytes,
    stdout: stdout!.text,
  };
}

function collect(stream: NodeJS.ReadableStream | NodeJS.WritableStream): { text: string } {
  const collected = { text: '' };
  (stream as NodeJS.ReadableStream).setEncoding('utf8').on('data', (text: string) => {
    collected.text += text;
  });
  return collected;
}

/** The second line of `times`, such as `0m1.230s 0m0.100s`. */
function childSeconds(text: string): number {
  const [, children = ''] = text.trim().split('\n');
  const amounts = [...children.matchAll(/(\d+)m([\d.]+)s/g)];
  if (amounts.length !== 2) throw new Error(`the shell's times can't be read: ${text}`);
  return amounts.reduce((sum, [, minutes, seconds]) => sum + 60 * Number(minutes) + Number(seconds), 0);
}

/** Of a process and everything below it; 0 where it has just ended. */
function residentBytes(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const own = 1024 * Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0);
    const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean),
    );
    return children.reduce((sum, child) => sum + residentBytes(Number(child)), own);
  } catch {
    return 0;
  }
}
