import { Worker } from 'node:worker_threads';
import { workerEntry } from './workerEntry.ts';

let spare: Worker | undefined;

/**
 * Starts a scoring thread whose model isn't known yet: it loads its code and the runtimes while the caller does other things. The
 * next pool of the process takes it. One at a time; a thread that dies before is forgotten, and the pool starts its own.
 */
export function startSpareThread(): void {
  if (spare !== undefined) return;
  const started = new Worker(workerEntry());
  const forget = () => {
    if (spare === started) spare = undefined;
  };
  started.on('error', forget);
  started.on('exit', forget);
  // It alone is no reason for the process to live.
  started.unref();
  spare = started;
}

/** The thread, for whoever sends it its setup; undefined when there is none. */
export function takeSpareThread(): Worker | undefined {
  const taken = spare;
  spare = undefined;
  taken?.removeAllListeners();
  taken?.ref();
  return taken;
}
