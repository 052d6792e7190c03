import { type ChildProcess, fork } from 'node:child_process';
import { Ncs4cvrError } from '../base/errors.ts';
import { compiledSibling, deserialiseError, type SerialisedError } from '../base/workerThread.ts';

/** Which run of a comparison: one arm with one seed. */
export interface RunName {
  readonly arm: string;
  readonly seed: number;
}

/** What every run of a comparison is made from, and where it goes. */
export interface ComparisonSources {
  /** The config document, not yet parsed. */
  readonly config: unknown;
  readonly data: string;
  readonly output: string;
}

/** What a worker process is told: first what to prepare, then one run after the other. */
export type WorkerOrder =
  | ({ readonly kind: 'prepare' } & ComparisonSources)
  | { readonly kind: 'run'; readonly run: RunName };

export type WorkerAnswer =
  | { readonly kind: 'ready' }
  | { readonly kind: 'done'; readonly run: RunName; readonly seconds: number }
  | { readonly kind: 'failed'; readonly error: SerialisedError };

/**
 * Trains runs in worker processes, each of which prepares the data once and takes the next run when it is done with
 * one. The first error ends all of them; finished runs keep their records.
 */
export async function runInProcesses(
  runs: readonly RunName[],
  sources: ComparisonSources,
  processes: number,
  onDone: (run: RunName, seconds: number) => void,
): Promise<void> {
  const queue = runs.values();
  const workers = Array.from({ length: Math.min(processes, runs.length) }, () =>
    fork(compiledSibling(import.meta.url, 'comparisonWorker.js')),
  );
  try {
    await Promise.all(workers.map((worker) => drive(worker, queue, sources, onDone)));
  } finally {
    for (const worker of workers) worker.kill();
  }
}

/** One worker's whole life. */
function drive(
  worker: ChildProcess,
  queue: Iterator<RunName>,
  sources: ComparisonSources,
  onDone: (run: RunName, seconds: number) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const send = (order: WorkerOrder) => worker.send(order);
    worker.on('error', reject);
    worker.on('exit', (code, signal) => {
      reject(
        new Ncs4cvrError('COMPARISON_WORKER_DIED', 'a worker process ended in the middle of a run', {
          expected: 'enough memory for the encoded rows in every process; fewer processes need less',
          found: signal ?? `exit code ${code}`,
          retryable: true,
        }),
      );
    });
    worker.on('message', (answer: WorkerAnswer) => {
      if (answer.kind === 'failed') {
        reject(deserialiseError(answer.error));
        return;
      }
      if (answer.kind === 'done') onDone(answer.run, answer.seconds);
      const next = queue.next();
      if (next.done) resolve();
      else send({ kind: 'run', run: next.value });
    });
    send({ kind: 'prepare', ...sources });
  });
}
