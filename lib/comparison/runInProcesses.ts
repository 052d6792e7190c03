import { type ChildProcess, fork } from 'node:child_process';
import { Ncs4cvrError } from '../base/errors.ts';
import type { SerialisedError } from '../base/workerThread.ts';
import { compiledSibling, deserialiseError } from '../base/workerThread.ts';

/** One arm with one seed. */
export interface ArmSeed {
  readonly arm: string;
  readonly seed: number;
}

/** What a worker process is told: first the set-up, then one task after the other. */
export type WorkerOrder =
  | { readonly kind: 'setUp'; readonly config: unknown; readonly data: string; readonly output: string }
  | { readonly kind: 'run'; readonly task: ArmSeed };

export type WorkerAnswer =
  | { readonly kind: 'ready' }
  | { readonly kind: 'done'; readonly task: ArmSeed; readonly seconds: number }
  | { readonly kind: 'failed'; readonly error: SerialisedError };

export interface ProcessSetup {
  /** The config document, not yet parsed. */
  readonly config: unknown;
  readonly data: string;
  readonly output: string;
}

/**
 * Runs tasks in worker processes, each of which prepares the data once and takes the next task when it is done with
 * one. The first error ends all of them; finished runs keep their records.
 */
export async function runInProcesses(
  tasks: readonly ArmSeed[],
  setup: ProcessSetup,
  processes: number,
  onDone: (task: ArmSeed, seconds: number) => void,
): Promise<void> {
  const queue = tasks.values();
  const workers = Array.from({ length: Math.min(processes, tasks.length) }, () =>
    fork(compiledSibling(import.meta.url, 'comparisonWorker.js')),
  );
  try {
    await Promise.all(workers.map((worker) => drive(worker, queue, setup, onDone)));
  } finally {
    for (const worker of workers) worker.kill();
  }
}

/** One worker's whole life. */
function drive(
  worker: ChildProcess,
  queue: Iterator<ArmSeed>,
  { config, data, output }: ProcessSetup,
  onDone: (task: ArmSeed, seconds: number) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const send = (order: WorkerOrder) => worker.send(order);
    worker.on('error', reject);
    worker.on('exit', (code, signal) => {
      reject(
        new Ncs4cvrError('COMPARISON_WORKER_DIED', 'a worker process ended in the middle of its work', {
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
      if (answer.kind === 'done') onDone(answer.task, answer.seconds);
      const next = queue.next();
      if (next.done) resolve();
      else send({ kind: 'run', task: next.value });
    });
    send({ kind: 'setUp', config, data, output });
  });
}
