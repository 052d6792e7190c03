import { z } from 'zod';
import { Ncs4cvrError } from '../base/errors.ts';
import { isRecord } from '../base/jsonDocument.ts';
import { mapConcurrently } from '../base/mapConcurrently.ts';
import { readBundleManifest } from '../bundle/bundleManifest.ts';
import { badRowsSchema } from '../job/badRows.ts';
import { gateSettingsSchema } from '../job/gateSettings.ts';
import { digestOfJob, type JobDocument } from '../job/jobDocument.ts';
import type { InputPartition } from '../job/jobInput.ts';
import { fileListSchema } from '../job/partitionFiles.ts';
import { DEFAULT_LAYOUT, type PartitionLayout, parsePartitionLayout } from '../job/partitionLayout.ts';
import { storageFor } from '../storage/openStorage.ts';
import { pathSchema } from '../storage/uri.ts';
import { earlierPublications, earlierPublicationsSchema } from './earlierPublications.ts';
import { type ModelIdentity, modelIdentity, modelIdentitySchema, refuseOtherModel } from './modelIdentity.ts';
import { type Pointer, readPointer } from './pointer.ts';

/** Of plans, and of the requests and work units that are made of them; 2 knew parts of one shard only, 3 no gates, 4 no
 * days of one run that are compared. */
export const PLAN_FORMAT_VERSION = 5;

/**
 * Refuses what was planned in another format, such as by the code before a deployment, whose runs are still under way: no part of it
 * is taken for something else.
 * @param file that holds it, if any
 * @throws Ncs4cvrError PLAN_OTHER_VERSION
 */
export function refuseOtherVersion(document: unknown, file?: string): void {
  if (!isRecord(document)) return;
  const { formatVersion: found } = document;
  if (typeof found !== 'number' || found === PLAN_FORMAT_VERSION) return;
  throw new Ncs4cvrError('PLAN_OTHER_VERSION', 'another version of this project has planned this', {
    ...(file === undefined ? {} : { file }),
    expected: `format version ${PLAN_FORMAT_VERSION}`,
    found: String(found),
  });
}

export const runSettingsSchema = z.strictObject({
  /** URI of the bundle. */
  modelUri: z.string().min(1),
  /** What it was when the plan was made. */
  model: modelIdentitySchema,
  /** Output root of the scores. */
  root: z.string().min(1),
  /** Rows of a part, on average. */
  targetRows: z.int().min(1),
  /** Shards of a partition that may be left out of what is published. */
  toleratedBrokenShards: z.int().min(0),
  /** As in the job document; `fail` without it. */
  badRows: badRowsSchema.optional(),
  /** As in the job document. */
  gates: gateSettingsSchema,
  /** As in the job document; all shards count without one. */
  shardPattern: z.string().optional(),
  /** Of the job document, see `digestOfJob`. */
  jobDigest: z.string(),
  /** Publish although an operator has rolled the partition back. */
  liftHold: z.boolean(),
  /**
   * Count the labels that shards have already, against the scores of their rows. Not by default; parts that are done keep the
   * profile that they have.
   */
  countLabels: z.boolean().optional(),
});
/** What all partitions of a run have in common. */
export type RunSettings = Readonly<z.infer<typeof runSettingsSchema>>;

export const partitionInputSchema = z.strictObject({
  partition: pathSchema,
  /** Folder that the names of its shards start at. */
  inputUri: z.string().min(1),
  /** Names its shards, if the job's input is a list of files; all that lie in the folder are its shards without one. */
  fileList: fileListSchema.optional(),
  /** Of the pointer when the run was planned; 0 for a partition that was never published. */
  basedOnGeneration: z.int().min(0),
  /** What the gates compare it with. */
  earlier: earlierPublicationsSchema,
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
    ...(job.badRows === 'fail' ? {} : { badRows: job.badRows }),
    gates: job.gates,
    // Their columns are read only for somebody who looks at them.
    ...(job.gates.calibration.action === 'off' ? {} : { countLabels: true }),
    ...(job.shardPattern === undefined ? {} : { shardPattern: job.shardPattern }),
    jobDigest: digestOfJob(job),
    liftHold,
  };
}

/** Pointers that are read at a time. */
const READS_AT_A_TIME = 32;

/** What a run that somebody has chosen partitions and a model for does, partition by partition. */
export async function partitionRuns(
  settings: RunSettings,
  partitions: readonly InputPartition[],
  layout: PartitionLayout = parsePartitionLayout(DEFAULT_LAYOUT),
): Promise<PartitionRun[]> {
  const { root, gates } = settings;
  const pointers = new Map(
    await mapConcurrently(partitions, READS_AT_A_TIME, async ({ partition }) => {
      return [partition, (await readPointer(root, partition)).pointer] as const;
    }),
  );
  const earlierOf = await earlierPublications(root, gates, layout, partitions, pointers);
  return partitions.map(({ partition, inputUri, fileList }) => {
    const basedOnGeneration = pointers.get(partition)?.generation ?? 0;
    const earlier = earlierOf.get(partition)!;
    return {
      formatVersion: PLAN_FORMAT_VERSION,
      ...settings,
      partition,
      inputUri,
      ...(fileList === undefined ? {} : { fileList }),
      basedOnGeneration,
      earlier,
    };
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
  const pointers = new Map([[partition, pointer]]);
  const earlier = (
    await earlierPublications(job.scores, job.gates, job.layout, [{ partition, inputUri }], pointers)
  ).get(partition)!;
  return { formatVersion: PLAN_FORMAT_VERSION, ...settings, partition, inputUri, basedOnGeneration, earlier };
}

async function publishedModel({ current: { modelUri, model } }: Pointer): Promise<ModelAt> {
  const manifest = await readBundleManifest(storageFor(modelUri), modelUri);
  refuseOtherModel(modelUri, modelIdentity({ manifest }), model);
  return { uri: modelUri, model };
}
