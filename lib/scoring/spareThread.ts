import type { Worker } from 'node:worker_threads';

let spare: Worker | undefined;

/**
 * Keeps a scoring thread that was started before its model is known: it loads its code and the runtimes while its process does
 * other things. The next pool of the process takes it. A thread that dies before is forgotten, and the pool starts its own.
 */
export function keepSpareThread(started: Worker): void {
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
