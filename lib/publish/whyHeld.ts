import type { PartitionRun } from './partitionRun.ts';
import { readPointer } from './pointer.ts';

/**
 * Why a run may not publish its partition, asked before the work: what can't be published isn't scored. A publication asks again.
 * @returns the words of whoever rolled it back; undefined where nothing is held, or the run lifts the hold
 */
export async function whyHeld({
  root,
  partition,
  liftHold,
}: Pick<PartitionRun, 'root' | 'partition' | 'liftHold'>): Promise<string | undefined> {
  if (liftHold) return undefined;
  const { pointer } = await readPointer(root, partition);
  return pointer?.hold ?? undefined;
}
