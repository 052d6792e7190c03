import { z } from 'zod';
import { type PartSpec, partSpecSchema } from './partSpec.ts';
import { openSpecs, publishRequestSchema, publishRequests, type RunPlan } from './runPlan.ts';

/** What one worker is asked to do at a time: spans of one partition. Small enough for a queue's message. */
export const workUnitSchema = publishRequestSchema.extend({
  specs: z.array(partSpecSchema).min(1).readonly(),
});
export type WorkUnit = Readonly<z.infer<typeof workUnitSchema>>;

/** Bytes of a unit as JSON stay well below the 256 KiB of an SQS message: a span is some hundred bytes. */
const SPECS_PER_UNIT = 200;

/**
 * The open spans of a plan as units: a span of `targetRows` rows or more is a unit of its own, small ones are put
 * together until they have as many. Order and cuts follow from the plan alone.
 */
export function workUnits(plan: RunPlan): WorkUnit[] {
  const requests = publishRequests(plan);
  return plan.partitions.flatMap((partition, index) =>
    batches(openSpecs(partition), plan.targetRows).map((specs) => ({ ...requests[index]!, specs })),
  );
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
