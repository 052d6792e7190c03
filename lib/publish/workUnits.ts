import { z } from 'zod';
import { openSpans, publishRequestSchema, publishRequests, type RunPlan } from './runPlan.ts';
import { type Span, spanSchema } from './span.ts';

/** What one worker is asked to do at a time: spans of one partition. Small enough for a queue's message. */
export const workUnitSchema = publishRequestSchema.extend({
  spans: z.array(spanSchema).min(1).readonly(),
});
export type WorkUnit = Readonly<z.infer<typeof workUnitSchema>>;

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
