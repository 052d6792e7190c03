import type { ModelBundle } from '../model/loadBundle.ts';
import { WorkerPool } from '../scoring/workerPool.ts';
import type { PartSpec } from './partSpec.ts';
import { scorePart } from './scorePart.ts';

/** Scores spans of one partition on a pool of their own, a few at a time. The first error ends it; what is done stays. */
export async function scoreParts(
  specs: readonly PartSpec[],
  root: string,
  partition: string,
  bundle: ModelBundle,
  workers: number,
  onPart: (spec: PartSpec) => void = () => {},
): Promise<void> {
  if (specs.length === 0) return;
  const { contract, modelBytes } = bundle;
  const pool = new WorkerPool(workers, { contract, modelBytes, extraColumns: [] });
  const queue = specs.values();
  const lane = async () => {
    for (const spec of queue) {
      await scorePart(spec, root, partition, bundle, pool);
      onPart(spec);
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(workers, specs.length) }, lane));
  } finally {
    await pool.close();
  }
}
