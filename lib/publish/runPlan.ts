import { z } from 'zod';
import { CODE_VERSION } from '../base/codeVersion.ts';
import { sha256 } from '../base/digest.ts';
import { ProblemsError } from '../base/errors.ts';
import { decodeJson, encodeJson } from '../base/jsonDocument.ts';
import { mapConcurrently } from '../base/mapConcurrently.ts';
import { storageFor } from '../storage/openStorage.ts';
import { cutPartition } from './cutPartition.ts';
import { modelIdentitySchema } from './modelIdentity.ts';
import { planUri } from './outputLayout.ts';
import { type Pointer, readPointer } from './pointer.ts';
import type { InputPartition } from './selectPartitions.ts';
import { type Span, spanSchema } from './span.ts';

/** Of plans, and of the requests and work units that are cut from them; 1 called its spans specs, and named no code. */
const PLAN_FORMAT_VERSION = 2;

const runRequestSchema = z.strictObject({
  modelUri: z.string(),
  model: modelIdentitySchema,
  /** Output root of the scores. */
  root: z.string(),
  targetRows: z.int().min(1),
  liftHold: z.boolean(),
});
/** What all partitions of a run have in common. */
export type RunRequest = Readonly<z.infer<typeof runRequestSchema>>;

const plannedInputSchema = z.strictObject({
  partition: z.string(),
  inputUri: z.string(),
  /** Of the pointer when the plan was made; 0 for a partition that was never published. */
  basedOnGeneration: z.int().min(0),
});

const plannedPartitionSchema = plannedInputSchema.extend({
  sizeBytes: z.int(),
  /** All spans of the partition's input, in order. */
  spans: z.array(spanSchema),
  /** Places in `spans` of what was done when the plan was made: same input version, model and contract. */
  done: z.array(z.int().min(0)),
});
export type PlannedPartition = Readonly<z.infer<typeof plannedPartitionSchema>>;

/** Everything that publishing a partition needs to know, as a queue's message. */
export const publishRequestSchema = runRequestSchema.extend({
  formatVersion: z.literal(PLAN_FORMAT_VERSION),
  ...plannedInputSchema.shape,
});
export type PublishRequest = Readonly<z.infer<typeof publishRequestSchema>>;

const runPlanSchema = runRequestSchema.extend({
  formatVersion: z.literal(PLAN_FORMAT_VERSION),
  /** That made the plan; other code may carry it out. */
  codeVersion: z.string(),
  partitions: z.array(plannedPartitionSchema),
});

/** What a run would do, exactly: the input versions it is for are part of it. */
export type RunPlan = Readonly<z.infer<typeof runPlanSchema>>;

/** Shards whose version is looked up at a time. */
const STATS_AT_A_TIME = 16;

/** What is left to score of a partition. */
export function openSpans({ spans, done }: PlannedPartition): Span[] {
  const finished = new Set(done);
  return spans.filter((_, place) => !finished.has(place));
}

/** What is to be published when a plan's parts are there, one request a partition. */
export function publishRequests({ partitions, codeVersion: _, ...run }: RunPlan): PublishRequest[] {
  return partitions.map(({ partition, inputUri, basedOnGeneration }) => ({
    ...run,
    partition,
    inputUri,
    basedOnGeneration,
  }));
}

export async function makeRunPlan(
  request: RunRequest,
  partitions: readonly InputPartition[],
): Promise<RunPlan> {
  const planned: PlannedPartition[] = [];
  for (const input of partitions) {
    const { pointer } = await readPointer(request.root, input.partition);
    planned.push(await planPartition(request, input, pointer));
  }
  return newPlan(request, planned);
}

export function newPlan(request: RunRequest, partitions: readonly PlannedPartition[]): RunPlan {
  return {
    formatVersion: PLAN_FORMAT_VERSION,
    codeVersion: CODE_VERSION,
    ...request,
    partitions: [...partitions],
  };
}

/** @param pointer the partition's, read before its input is listed; undefined when it was never published */
export async function planPartition(
  { root, model, targetRows }: RunRequest,
  { partition, inputUri }: InputPartition,
  pointer: Pointer | undefined,
): Promise<PlannedPartition> {
  const { spans, receipts, sizeBytes } = await cutPartition(inputUri, { root, partition, model }, targetRows);
  return {
    partition,
    inputUri,
    basedOnGeneration: pointer?.generation ?? 0,
    sizeBytes,
    spans: [...spans],
    done: receipts.flatMap((receipt, index) => (receipt === undefined ? [] : [index])),
  };
}

/** @throws Ncs4cvrError PUBLISH_DOCUMENT_INVALID */
export async function readRunPlan(uri: string): Promise<RunPlan> {
  return decodeJson(await storageFor(uri).readWhole(uri), runPlanSchema, uri);
}

/**
 * Refuses a plan whose inputs have changed since: what was looked at would not be what runs.
 * @throws ProblemsError PLAN_STALE naming every shard
 */
export async function refuseStalePlan({ partitions }: RunPlan, planUri: string): Promise<void> {
  const versions = new Map(
    partitions.flatMap(({ spans }) => spans.map(({ inputUri, inputVersion }) => [inputUri, inputVersion])),
  );
  const found = await mapConcurrently([...versions], STATS_AT_A_TIME, async ([uri, planned]) => {
    const version = (await storageFor(uri).stat(uri))?.version;
    if (version === planned) return [];
    return [`${uri}: planned for version ${planned}, found ${version ?? 'no file'}`];
  });
  const problems = found.flat();
  if (problems.length === 0) return;
  const summary = 'the input has changed since the plan was made; plan again';
  throw new ProblemsError('PLAN_STALE', summary, problems, { file: planUri });
}

export interface WrittenPlan {
  readonly uri: string;
  /** Of the plan's bytes, and its name. */
  readonly sha256: string;
}

/**
 * Writes a plan below its output root, under its digest. The same plan has the same name, whoever made it with the same
 * version of the code; of another version it has another name, and its parts still the same.
 */
export async function writeRunPlan(plan: RunPlan): Promise<WrittenPlan> {
  // Parsing puts the keys in the schema's order.
  const bytes = encodeJson(runPlanSchema.parse(plan));
  const digest = sha256(bytes);
  const uri = planUri(plan.root, digest);
  await storageFor(uri).createIfAbsent(uri, bytes);
  return { uri, sha256: digest };
}
