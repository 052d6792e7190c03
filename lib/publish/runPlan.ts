import { z } from 'zod';
import { sha256 } from '../base/digest.ts';
import { encodeJson } from '../base/jsonDocument.ts';
import { storageFor } from '../storage/openStorage.ts';
import { modelIdentitySchema } from './modelIdentity.ts';
import { decodeOutputDocument, planUri } from './outputLayout.ts';
import { type Span, spanSchema } from './span.ts';

/** Of plans, and of the requests and work units that are cut from them; 1 called its spans specs, and named no code. */
export const PLAN_FORMAT_VERSION = 2;

const runSettingsSchema = z.strictObject({
  modelUri: z.string(),
  model: modelIdentitySchema,
  /** Output root of the scores. */
  root: z.string(),
  targetRows: z.int().min(1),
  liftHold: z.boolean(),
});
/** What all partitions of a run have in common. */
export type RunSettings = Readonly<z.infer<typeof runSettingsSchema>>;

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
export const publishRequestSchema = runSettingsSchema.extend({
  formatVersion: z.literal(PLAN_FORMAT_VERSION),
  ...plannedInputSchema.shape,
});
export type PublishRequest = Readonly<z.infer<typeof publishRequestSchema>>;

const runPlanSchema = runSettingsSchema.extend({
  formatVersion: z.literal(PLAN_FORMAT_VERSION),
  /** That made the plan; other code may carry it out. */
  codeVersion: z.string(),
  partitions: z.array(plannedPartitionSchema),
});

/** What a run would do, exactly: the input versions it is for are part of it. */
export type RunPlan = Readonly<z.infer<typeof runPlanSchema>>;

/** What one worker is asked to do at a time: spans of one partition. Small enough for a queue's message. */
export const workUnitSchema = publishRequestSchema.extend({
  spans: z.array(spanSchema).min(1).readonly(),
});
export type WorkUnit = Readonly<z.infer<typeof workUnitSchema>>;

/** What is left to score of a partition. */
export function openSpans({ spans, done }: PlannedPartition): Span[] {
  const finished = new Set(done);
  return spans.filter((_, place) => !finished.has(place));
}

/** What is to be published when a plan's parts are there, one request per partition. */
export function publishRequests({ partitions, codeVersion: _, ...run }: RunPlan): PublishRequest[] {
  return partitions.map(({ partition, inputUri, basedOnGeneration }) => ({
    ...run,
    partition,
    inputUri,
    basedOnGeneration,
  }));
}

/** Bytes of a unit as JSON stay well below the 256 KiB of an SQS message: a span is some hundred bytes. */
const SPANS_PER_UNIT = 200;

/**
 * The open spans of a plan as units: a span of `targetRows` rows or more is a unit of its own, small ones are put
 * together until they have as many. Order and cuts follow from the plan alone.
 */
export function workUnits(plan: RunPlan): WorkUnit[] {
  const requests = publishRequests(plan);
  return plan.partitions.flatMap((partition, index) =>
    batches(openSpans(partition), plan.targetRows).map((spans) => ({ ...requests[index]!, spans })),
  );
}

function batches(spans: readonly Span[], targetRows: number): Span[][] {
  const found: Span[][] = [];
  let batch: Span[] = [];
  let rows = 0;
  for (const span of spans) {
    if (batch.length > 0 && (rows + span.rows > targetRows || batch.length === SPANS_PER_UNIT)) {
      found.push(batch);
      batch = [];
      rows = 0;
    }
    batch.push(span);
    rows += span.rows;
  }
  return batch.length === 0 ? found : [...found, batch];
}

/** @throws Ncs4cvrError PUBLISH_DOCUMENT_INVALID */
export async function readRunPlan(uri: string): Promise<RunPlan> {
  return decodeOutputDocument(await storageFor(uri).readWhole(uri), runPlanSchema, 'run plan', uri);
}

export interface WrittenPlan {
  readonly uri: string;
  /** Of the plan's bytes, and its name. */
  readonly sha256: string;
}

/**
 * Writes a plan below its output root, under its digest. The same plan has the same name, wherever the same version of the code made it;
 * another version gives it another name, and the same parts.
 */
export async function writeRunPlan(plan: RunPlan): Promise<WrittenPlan> {
  // Parsing puts the keys in the schema's order.
  const bytes = encodeJson(runPlanSchema.parse(plan));
  const digest = sha256(bytes);
  const uri = planUri(plan.root, digest);
  await storageFor(uri).createIfAbsent(uri, bytes);
  return { uri, sha256: digest };
}
