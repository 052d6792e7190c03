import { readBundleManifest } from '../model/readBundleManifest.ts';
import { storageFor } from '../storage/openStorage.ts';
import { modelIdentity } from './modelIdentity.ts';
import { makeRunPlan, type RunPlan, type RunRequest } from './runPlan.ts';
import type { InputPartition } from './selectPartitions.ts';

/**
 * Plans with a bundle as it stands: its digests are pinned from here on. Only its manifest is read; whoever scores
 * verifies the files.
 */
export async function planWithBundle(
  request: Omit<RunRequest, 'model'>,
  partitions: readonly InputPartition[],
): Promise<RunPlan> {
  const { modelUri } = request;
  const manifest = await readBundleManifest(storageFor(modelUri), modelUri);
  return makeRunPlan({ ...request, model: modelIdentity({ manifest }) }, partitions);
}
