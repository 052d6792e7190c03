import { compiledSibling } from '../base/workerThread.ts';

/** The scoring worker's compiled script. */
export function workerEntry(): URL {
  return compiledSibling(import.meta.url, 'scoringWorker.js');
}
