import { z } from 'zod';
import { mapConcurrently } from '../base/mapConcurrently.ts';
import { readBundleManifest } from '../bundle/bundleManifest.ts';
import { digestOfJob, type JobDocument } from '../job/jobDocument.ts';
import type { InputPartition } from '../job/readiness.ts';
import { storageFor } from '../storage/openStorage.ts';
import { type ModelIdentity, modelIdentity, modelIdentitySchema, refuseOtherModel } from './modelIdentity.ts';
import { type Pointer, readPointer } from './pointer.ts';
import { pathSchema } from './span.ts';

/** Of plans, and of the requests and work units that are made of them; 2 knew parts of one shard only. */
export const PLAN_FORMAT_VERSION = 3;

export const runSettingsSchema = z.strictObject({
  modelUri: z.string().min(1),
  model: modelIdentitySchema,
  /** Output root of the scores. */
  root: z.string().min(1),
  targetRows: z.int().min(1),
  /** Shards of a partition that may be left out of what is published. */
  toleratedBrokenShards: z.int().min(0),
  /** As in the job document; all shards count without one. */
  shardPattern: z.string().optional(),
  /** Of the job document, see `digestOfJob`. */
  jobDigest: z.string(),
  /** Publish although an operator has rolled the partition back. */
  liftHold: z.boolean(),
});
/** What all partitions of a run have in common. */
export type RunSettings = Readonly<z.infer<typeof runSettingsSchema>>;

export const partitionInputSchema = z.strictObject({
  partition: pathSchema,
  inputUri: z.string().min(1),
  /** Of the pointer when the run was planned; 0 for a partition that was never published. */
  basedOnGeneration: z.int().min(0),
});

/** One partition of a run: all that planning, scoring and publishing it needs to know. Small, whatever the partition holds. */
export const partitionRunSchema = runSettingsSchema.extend({
  formatVersion: z.literal(PLAN_FORMAT_VERSION),
  ...partitionInputSchema.shape,
  /** Of the parts that somebody has looked at (`digestOfParts`): the input may not have changed since. */
  partsDigest: z.string().optional(),
});
export type PartitionRun = Readonly<z.infer<typeof partitionRunSchema>>;

/** A bundle, and the model that it holds. */
export interface ModelAt {
  readonly uri: string;
  readonly model: ModelIdentity;
}

/** The settings of a job's run with a model. Its digests are pinned from here on; scoring verifies the files. */
export function runSettingsOf(job: JobDocument, { uri, model }: ModelAt, liftHold = false): RunSettings {
  return {
    modelUri: uri,
    model,
    root: job.scores,
    targetRows: job.targetRows,
    toleratedBrokenShards: job.tolerated.brokenShards,
    ...(job.shardPattern === undefined ? {} : { shardPattern: job.shardPattern }),
    jobDigest: digestOfJob(job),
    liftHold,
  };
}

/** Pointers that are read at a time. */
const READS_AT_A_TIME = 32;

/** What a run that somebody has chosen partitions and a model for does, partition by partition. */
export function partitionRuns(
  settings: RunSettings,
  partitions: readonly InputPartition[],
): Promise<PartitionRun[]> {
  return mapConcurrently(partitions, READS_AT_A_TIME, async ({ partition, inputUri }) => {
    const { pointer } = await readPointer(settings.root, partition);
    const basedOnGeneration = pointer?.generation ?? 0;
    return { formatVersion: PLAN_FORMAT_VERSION, ...settings, partition, inputUri, basedOnGeneration };
  });
}

/**
 * What is to be done for a partition that shards have landed in. Only runs choose models: what is published already keeps
 * its own, which its pointer names.
 * @param firstModel for a partition that was never published
 * @throws Ncs4cvrError PLAN_OTHER_MODEL when the bundle that the pointer names isn't that model any more
 */
export async function arrivalRun(
  job: JobDocument,
  firstModel: () => Promise<ModelAt>,
  { partition, inputUri }: InputPartition,
): Promise<PartitionRun> {
  // Read once: with the generation of a later pointer, this run could replace the model of one that came between.
  const { pointer } = await readPointer(job.scores, partition);
  const model = pointer === undefined ? await firstModel() : await publishedModel(pointer);
  const basedOnGeneration = pointer?.generation ?? 0;
  const settings = runSettingsOf(job, model);
  return { formatVersion: PLAN_FORMAT_VERSION, ...settings, partition, inputUri, basedOnGeneration };
}

async function publishedModel({ current: { modelUri, model } }: Pointer): Promise<ModelAt> {
  const manifest = await readBundleManifest(storageFor(modelUri), modelUri);
  refuseOtherModel(modelUri, modelIdentity({ manifest }), model);
  return { uri: modelUri, model };
}
