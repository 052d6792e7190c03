import { CODE_VERSION } from '../base/codeVersion.ts';
import { readBundleManifest } from '../bundle/bundleManifest.ts';
import type { InputPartition } from '../job/choosePartitions.ts';
import { storageFor } from '../storage/openStorage.ts';
import { cutPartition } from './cutPartition.ts';
import { modelIdentity, refuseOtherModel } from './modelIdentity.ts';
import { type Pointer, readPointer } from './pointer.ts';
import { PLAN_FORMAT_VERSION, type PlannedPartition, type RunPlan, type RunSettings } from './runPlan.ts';

/** A plan, and what its partitions hold beside it. */
export interface MadePlan {
  readonly plan: RunPlan;
  /** URIs of the files in its partitions that are no shards. */
  readonly ignored: readonly string[];
}

/**
 * The plan of a run that somebody has chosen partitions and a model for. The bundle's digests are pinned from here on. Only
 * its manifest is read; scoring verifies the files.
 */
export async function makeRunPlan(
  settings: Omit<RunSettings, 'model'>,
  partitions: readonly InputPartition[],
): Promise<MadePlan> {
  const { modelUri } = settings;
  const manifest = await readBundleManifest(storageFor(modelUri), modelUri);
  const run = { ...settings, model: modelIdentity({ manifest }) };
  const planned: PlannedPartition[] = [];
  const ignored: string[] = [];
  for (const input of partitions) {
    const { pointer } = await readPointer(run.root, input.partition);
    const each = await planPartition(run, input, pointer);
    planned.push(each.planned);
    ignored.push(...each.ignored);
  }
  return { plan: planWith(run, planned), ignored };
}

export interface ArrivalOptions extends Pick<RunSettings, 'root' | 'targetRows'> {
  /** Bundle for a partition that was never published. */
  readonly firstModelUri: string;
}

/**
 * The plan for a partition that a shard landed in. Only runs choose models: what is published already keeps its own, which its
 * pointer names.
 * @throws Ncs4cvrError PLAN_OTHER_MODEL when the bundle that the pointer names isn't that model any more
 */
export async function makeArrivalPlan(
  { firstModelUri, root, targetRows }: ArrivalOptions,
  input: InputPartition,
): Promise<MadePlan> {
  // Read once: with the generation of a later pointer, this plan could replace the model of a run that came between.
  const { pointer } = await readPointer(root, input.partition);
  const modelUri = pointer?.current.modelUri ?? firstModelUri;
  const manifest = await readBundleManifest(storageFor(modelUri), modelUri);
  if (pointer !== undefined) refuseOtherModel({ uri: modelUri, manifest }, pointer.current.model);
  const model = pointer?.current.model ?? modelIdentity({ manifest });
  const run = { modelUri, model, root, targetRows, liftHold: false };
  const { planned, ignored } = await planPartition(run, input, pointer);
  return { plan: planWith(run, [planned]), ignored };
}

function planWith(run: RunSettings, partitions: PlannedPartition[]): RunPlan {
  return { formatVersion: PLAN_FORMAT_VERSION, codeVersion: CODE_VERSION, ...run, partitions };
}

/** @param pointer the partition's, read before its input is listed; undefined when it was never published */
async function planPartition(
  { root, model, targetRows }: RunSettings,
  { partition, inputUri }: InputPartition,
  pointer: Pointer | undefined,
): Promise<{ readonly planned: PlannedPartition; readonly ignored: readonly string[] }> {
  const place = { root, partition, model };
  const { spans, receipts, sizeBytes, ignored } = await cutPartition(inputUri, place, targetRows);
  const planned = {
    partition,
    inputUri,
    basedOnGeneration: pointer?.generation ?? 0,
    sizeBytes,
    spans: [...spans],
    done: receipts.flatMap((receipt, index) => (receipt === undefined ? [] : [index])),
  };
  return { planned, ignored };
}
