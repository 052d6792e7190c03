import { spawn } from 'node:child_process';
import { messageOf } from '../base/errors.ts';
import type { AuditCommand } from '../job/gateSettings.ts';
import type { AuditedManifest } from './ownAudit.ts';
import { type Verdict, verdictOf } from './verdict.ts';

/** Characters of its output that end up in the verdict. */
const TOLD = 500;

/**
 * Runs a command with the URIs of the manifest and of the output root as its last two arguments, and the same and the
 * partition as NCS4CVR_MANIFEST, NCS4CVR_ROOT and NCS4CVR_PARTITION: exit code 0 passes. Any other, a signal, a command that
 * can't be started or that takes too long blocks, with the end of what it has printed as the reason.
 */
export async function runAuditCommand(
  { command: [program, ...args], action, timeoutSeconds }: AuditCommand,
  { root, partition, manifestUri }: AuditedManifest,
): Promise<Verdict> {
  const startMillis = performance.now();
  const ended = await new Promise<{ readonly found: number; readonly reason: string }>((resolve) => {
    const child = spawn(program!, [...args, manifestUri, root], {
      env: {
        ...process.env,
        NCS4CVR_MANIFEST: manifestUri,
        NCS4CVR_ROOT: root,
        NCS4CVR_PARTITION: partition,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    // Not spawn's own timeout: its timer outlives a command that can't be started, and keeps this process waiting for it.
    const timer = setTimeout(() => child.kill('SIGKILL'), 1000 * timeoutSeconds);
    let printed = '';
    const keep = (text: string) => {
      printed = `${printed}${text}`.slice(-TOLD);
    };
    // Each keeps the bytes of a character that has only begun.
    child.stdout.setEncoding('utf8').on('data', keep);
    child.stderr.setEncoding('utf8').on('data', keep);
    child.on('error', (error) => {
      clearTimeout(timer);
      resolve({ found: Number.NaN, reason: `the command can't be started: ${messageOf(error)}` });
    });
    // `exit`, since a grandchild may hold the pipes open for ever.
    child.on('exit', (code, signal) => {
      clearTimeout(timer);
      const isLate = performance.now() - startMillis >= 1000 * timeoutSeconds;
      const end = isLate ? `stopped after ${timeoutSeconds} s` : `ended by ${signal}`;
      setImmediate(() => {
        child.stdout.destroy();
        child.stderr.destroy();
        const said = printed.trim() === '' ? '' : `: ${printed.trim()}`;
        const how = code === null ? end : `exit code ${code}`;
        resolve({ found: code ?? Number.NaN, reason: `${how}${said}` });
      });
    });
  });
  const { found, reason } = ended;
  const isWithin = found === 0;
  return verdictOf('audit', action, { subject: program!, found, bound: 0, isWithin, against: '', reason });
}
