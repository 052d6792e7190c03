// What a vocabulary of 20 million ids takes: `npm run bench:vocabularies [-- ENTRIES]`. Fitted on a stream of ids that are made up,
// written, put into a bundle beside 20 million embeddings of width 4, loaded, planned with and scored with; every step in a process
// of its own, since its peak memory is what counts. About 3 GB of disk below the temporary folder, and as much memory.
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeTinyFunnel } from '../../test/fixtures/tinyFunnel.ts';
import type { StepReport, StepRequest } from './vocabularyStep.ts';

/** What a step may take at most with 20 million ids. */
const LIMITS: Readonly<Partial<Record<StepRequest['step'], { seconds?: number; megabytes?: number }>>> = {
  'load vocabulary': { seconds: 3 },
  plan: { megabytes: 300 },
  inspect: { megabytes: 300 },
};

const entries = Number(process.argv[2] ?? 20_000_000);
const folder = mkdtempSync(join(tmpdir(), 'vocabularies-'));
const misses: string[] = [];
const table: object[] = [];
try {
  writeTinyFunnel(join(folder, 'data'), { rowsPerDay: 1500 });
  const steps = [
    'fit',
    'write bundle',
    'load vocabulary',
    'load bundle',
    'plan',
    'inspect',
    'score',
  ] as const;
  for (const step of steps) {
    const { wallSeconds, cpuSeconds, peakMegabytes, note } = await runStep({ step, entries, folder });
    table.push({
      step,
      seconds: wallSeconds.toFixed(2),
      'CPU-seconds': cpuSeconds.toFixed(2),
      'peak RSS, MB': Math.round(peakMegabytes),
      note,
    });
    const { seconds = Number.POSITIVE_INFINITY, megabytes = Number.POSITIVE_INFINITY } = LIMITS[step] ?? {};
    if (wallSeconds > seconds) misses.push(`${step}: ${wallSeconds.toFixed(2)} s, more than ${seconds}`);
    if (peakMegabytes > megabytes)
      misses.push(`${step}: ${Math.round(peakMegabytes)} MB, more than ${megabytes}`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(`${entries.toLocaleString('en')} ids`);
console.table(table);
for (const miss of misses) console.error(miss);
process.exitCode = misses.length > 0 ? 1 : 0;

function runStep(request: StepRequest): Promise<StepReport> {
  // Beside this file as scripts/runBench.mjs bundles it.
  const child = fork(fileURLToPath(new URL('vocabularyStep.mjs', import.meta.url)));
  return new Promise((resolve, reject) => {
    child.once('message', (report) => resolve(report as StepReport));
    child.once('error', reject);
    child.once('exit', (code, signal) => reject(new Error(`${request.step} ended with ${signal ?? code}`)));
    child.send(request);
  });
}
