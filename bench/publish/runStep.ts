import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { StepReport, StepRequest } from './partitionStep.ts';

/** As Lambda starts Node in a function of 512 MB: 90% for old objects, 5% for young ones. */
const HEAP_OF_512_MB = ['--max-old-space-size=460', '--max-semi-space-size=25'];

/** Runs a step in a process of its own, against an S3 at `endpoint`. @throws Error when the process fails */
export function runStep(request: StepRequest, endpoint: string): Promise<StepReport> {
  const env = {
    ...process.env,
    AWS_ENDPOINT_URL_S3: endpoint,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'bench',
    AWS_SECRET_ACCESS_KEY: 'bench',
  };
  // Beside this file as scripts/runBench.mjs bundles it.
  const file = fileURLToPath(new URL('partitionStep.mjs', import.meta.url));
  const child = fork(file, { env, execArgv: HEAP_OF_512_MB });
  return new Promise((resolve, reject) => {
    child.once('message', (report) => resolve(report as StepReport));
    child.once('error', reject);
    child.once('exit', (code, signal) => reject(new Error(`the step ended with ${signal ?? code}`)));
    child.send(request);
  });
}
