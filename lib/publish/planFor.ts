import { readBundleManifest } from '../bundle/bundleManifest.ts';
import { storageFor } from '../storage/openStorage.ts';
import { modelIdentity, refuseOtherModel } from './modelIdentity.ts';
import { readPointer } from './pointer.ts';
import { makeRunPlan, newPlan, planPartition, type RunPlan, type RunRequest } from './runPlan.ts';
import type { InputPartition } from './selectPartitions.ts';

/**
 * Plans with a bundle as it stands: its digests are pinned from here on. Only its manifest is read; whoever scores
 * verifies the files.
 */
export async function planForChoice(
  request: Omit<RunRequest, 'model'>,
  partitions: readonly InputPartition[],
): Promise<RunPlan> {
  const { modelUri } = request;
  const manifest = await readBundleManifest(storageFor(modelUri), modelUri);
  return makeRunPlan({ ...request, model: modelIdentity({ manifest }) }, partitions);
}

export interface ArrivalOptions extends Pick<RunRequest, 'root' | 'targetRows'> {
  /** Bundle for a partition that was never published. */
  readonly firstModelUri: string;
}

/**
 * Plans a partition that a shard landed in. Only runs choose models: what is published already keeps its own, which its
 * pointer names.
 * @throws Ncs4cvrError PLAN_OTHER_MODEL when the bundle that the pointer names isn't that model any more
 */
export async function planForArrival(
  { firstModelUri, root, targetRows }: ArrivalOptions,
  input: InputPartition,
): Promise<RunPlan> {
  // Read once: with the generation of a later pointer, this plan could replace the model of a run that came between.
  const { pointer } = await readPointer(root, input.partition);
  const modelUri = pointer?.current.modelUri ?? firstModelUri;
  const manifest = await readBundleManifest(storageFor(modelUri), modelUri);
  if (pointer !== undefined) refuseOtherModel({ uri: modelUri, manifest }, pointer.current.model);
  const model = pointer?.current.model ?? modelIdentity({ manifest });
  const request = { modelUri, model, root, targetRows, liftHold: false };
  return newPlan(request, [await planPartition(request, input, pointer)]);
}
