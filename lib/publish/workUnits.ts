import { z } from 'zod';
import { modelIdentitySchema } from './modelIdentity.ts';
import { type PartSpec, partSpecSchema } from './partSpec.ts';
import type { RunPlan } from './runPlan.ts';

/** Everything that publishing a partition needs to know, as a queue's message. */
export const publishRequestSchema = z.strictObject({
  formatVersion: z.literal(1),
  modelUri: z.string(),
  model: modelIdentitySchema,
  root: z.string(),
  partition: z.string(),
  inputUri: z.string(),
  targetRows: z.int().min(1),
  basedOnGeneration: z.int().min(0),
  liftHold: z.boolean(),
});
export type PublishRequest = Readonly<z.infer<typeof publishRequestSchema>>;

/** What one worker is asked to do at a time: spans of one partition. Small enough for a queue's message. */
export const workUnitSchema = publishRequestSchema.extend({
  specs: z.array(partSpecSchema).min(1).readonly(),
});
export type WorkUnit = Readonly<z.infer<typeof workUnitSchema>>;

/** What is to be published when a plan's parts are there, one request a partition. */
export function publishRequests({ partitions, ...run }: RunPlan): PublishRequest[] {
  return partitions.map(({ partition, inputUri, basedOnGeneration }) => ({
    ...run,
    partition,
    inputUri,
    basedOnGeneration,
  }));
}

/** Bytes of a unit as JSON stay well below the 256 KiB of an SQS message: a span is some hundred bytes. */
const SPECS_PER_UNIT = 200;

/**
 * The open spans of a plan as units: a span of `targetRows` rows or more is a unit of its own, small ones are put
 * together until they have as many. Order and cuts follow from the plan alone.
 */
export function workUnits(plan: RunPlan): WorkUnit[] {
  const requests = publishRequests(plan);
  return plan.partitions.flatMap(({ specs, done }, index) => {
    const finished = new Set(done);
    const open = specs.filter((_, place) => !finished.has(place));
    return batches(open, plan.targetRows).map((batch) => ({ ...requests[index]!, specs: batch }));
  });
}

function batches(specs: readonly PartSpec[], targetRows: number): PartSpec[][] {
  const found: PartSpec[][] = [];
  let batch: PartSpec[] = [];
  let rows = 0;
  for (const spec of specs) {
    if (batch.length > 0 && (rows + spec.rows > targetRows || batch.length === SPECS_PER_UNIT)) {
      found.push(batch);
      batch = [];
      rows = 0;
    }
    batch.push(spec);
    rows += spec.rows;
  }
  return batch.length === 0 ? found : [...found, batch];
}
