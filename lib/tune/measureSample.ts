import { fork } from 'node:child_process';
import { Ncs4cvrError } from '../base/errors.ts';
import { compiledSibling, deserialiseError, type SerialisedError } from '../base/workerThread.ts';
import type { ShardSpan } from '../scoring/openSpans.ts';

/** What a process is told that scores the sample. */
export interface SampleOrder {
  readonly modelUri: string;
  readonly spans: readonly ShardSpan[];
  readonly workers: number;
  /** File for the scores. */
  readonly outputUri: string;
}

/** What scoring the sample took, in a process of its own. */
export interface SampleUse {
  readonly rows: number;
  /** From the process's start until the bundle is verified. */
  readonly loadSeconds: number;
  /** From then until all rows are written, the threads' start included. */
  readonly scoreSeconds: number;
  /** User and system time of the whole process. */
  readonly cpuSeconds: number;
  /** Most resident memory of the process. */
  readonly peakBytes: number;
}

export type SampleAnswer =
  | { readonly kind: 'scored'; readonly use: SampleUse }
  | { readonly kind: 'failed'; readonly error: SerialisedError };

/** @throws what scoring throws; Ncs4cvrError TUNE_PROCESS_DIED when the process ended without an answer */
export function measureSample(order: SampleOrder): Promise<SampleUse> {
  const child = fork(compiledSibling(import.meta.url, 'sampleProcess.js'));
  return new Promise<SampleUse>((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) =>
      reject(
        new Ncs4cvrError('TUNE_PROCESS_DIED', 'the process that scored the sample ended', {
          expected: `memory for ${order.workers} scoring threads`,
          found: signal ?? `exit code ${code}`,
        }),
      ),
    );
    child.on('message', (answer: SampleAnswer) => {
      if (answer.kind === 'scored') resolve(answer.use);
      else reject(deserialiseError(answer.error));
    });
    child.send(order);
  }).finally(() => child.kill());
}
