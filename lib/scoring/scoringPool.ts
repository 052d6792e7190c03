import type { ModelBundle } from '../bundle/loadBundle.ts';
import { WorkerPool } from './workerPool.ts';

/** Threads that score with a bundle. @param extraColumns that come back with the scores */
export function scoringPool(
  { contract, modelBytes }: ModelBundle,
  workers: number,
  extraColumns: readonly string[] = [],
): WorkerPool {
  return new WorkerPool(workers, { contract, modelBytes, extraColumns });
}
