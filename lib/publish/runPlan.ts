import { z } from 'zod';
import { CODE_VERSION } from '../base/codeVersion.ts';
import { sha256 } from '../base/digest.ts';
import { decodeJson, encodeJson, isRecord, parseDocument } from '../base/jsonDocument.ts';
import { storageFor } from '../storage/openStorage.ts';
import { readDocument } from '../storage/readDocument.ts';
import { brokenShardSchema } from './brokenShard.ts';
import { below, planPath } from './outputLayout.ts';
import { digestOfParts, type Part, partSchema } from './part.ts';
import {
  type PartitionRun,
  PLAN_FORMAT_VERSION,
  partitionInputSchema,
  type RunSettings,
  refuseOtherVersion,
  runSettingsSchema,
} from './partitionRun.ts';

const plannedPartitionSchema = partitionInputSchema.extend({
  /** Of the input. */
  shardCount: z.int().min(0),
  /** Of its shards. */
  sizeBytes: z.int().min(0),
  /** All parts of the partition, in order. */
  parts: z.array(partSchema),
  /** Places in `parts` of what was done when the plan was made: same input versions, model and contract. */
  done: z.array(z.int().min(0)),
  /** Shards that no part holds, since they can't be read or scored. */
  broken: z.array(brokenShardSchema),
});
export type PlannedPartition = Readonly<z.infer<typeof plannedPartitionSchema>>;

/** @internal exported for the reference of documents */
export const runPlanSchema = runSettingsSchema.extend({
  formatVersion: z.literal(PLAN_FORMAT_VERSION),
  /** That made the plan; other code may carry it out. */
  codeVersion: z.string(),
  /** What the run is for, one by one. */
  partitions: z.array(plannedPartitionSchema),
});

/** What a run would do, exactly: the input versions it is for are part of it. */
export type RunPlan = Readonly<z.infer<typeof runPlanSchema>>;

export function planWith(settings: RunSettings, partitions: readonly PlannedPartition[]): RunPlan {
  return {
    formatVersion: PLAN_FORMAT_VERSION,
    codeVersion: CODE_VERSION,
    ...settings,
    partitions: [...partitions],
  };
}

/** What is left to score of a partition. */
export function openParts({ parts, done }: PlannedPartition): Part[] {
  const finished = new Set(done);
  return parts.filter((_, place) => !finished.has(place));
}

/** A plan's partitions as runs of their own, which are refused when their input isn't what was planned. */
export function runsOfPlan({ partitions, codeVersion: _, ...settings }: RunPlan): PartitionRun[] {
  return partitions.map(({ partition, inputUri, fileList, basedOnGeneration, earlier, parts }) => ({
    ...settings,
    partition,
    inputUri,
    ...(fileList === undefined ? {} : { fileList }),
    basedOnGeneration,
    earlier,
    partsDigest: digestOfParts(parts),
  }));
}

/** @throws Ncs4cvrError PLAN_INVALID, PLAN_OTHER_VERSION */
export async function readRunPlan(uri: string): Promise<RunPlan> {
  // Read from where an operator says, so that one of another format may be anything.
  const summary = "this isn't a valid run plan; another program may have changed it";
  const code = 'PLAN_INVALID';
  const document = decodeJson(await readDocument(uri), { code, file: uri });
  // With partitions: other documents have formats of their own.
  if (isRecord(document) && 'partitions' in document) refuseOtherVersion(document, uri);
  return parseDocument(document, runPlanSchema, { code, summary, file: uri });
}

export interface WrittenPlan {
  readonly uri: string;
  /** Of the plan's bytes, and its name. */
  readonly sha256: string;
}

/**
 * Writes a plan below its output root, under its digest. The same plan has the same name, wherever the same version of the
 * code made it; another version gives it another name, and the same parts.
 */
export async function writeRunPlan(plan: RunPlan): Promise<WrittenPlan> {
  // Parsing puts the keys in the schema's order.
  const bytes = encodeJson(runPlanSchema.parse(plan));
  const digest = sha256(bytes);
  const uri = below(plan.root, planPath(digest));
  await storageFor(uri).createIfAbsent(uri, bytes);
  return { uri, sha256: digest };
}
