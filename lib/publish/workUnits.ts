import { z } from 'zod';
import { modelIdentitySchema } from './modelIdentity.ts';
import { type PartSpec, partSpecSchema } from './partSpec.ts';
import type { RunPlan } from './runPlan.ts';

/** What one worker is asked to do at a time: spans of one partition. Small enough for a queue's message. */
export const workUnitSchema = z.strictObject({
  formatVersion: z.literal(1),
  modelUri: z.string(),
  model: modelIdentitySchema,
  root: z.string(),
  partition: z.string(),
  specs: z.array(partSpecSchema).min(1).readonly(),
});
export type WorkUnit = Readonly<z.infer<typeof workUnitSchema>>;

/** Bytes of a unit as JSON stay well below the 256 KiB of an SQS message: a span is some hundred bytes. */
const SPECS_PER_UNIT = 200;

/**
 * The open spans of a plan as units: a span of `targetRows` rows or more is a unit of its own, small ones are put
 * together until they have as many. Order and cuts follow from the plan alone.
 */
export function workUnits({ partitions, modelUri, model, root, targetRows }: RunPlan): WorkUnit[] {
  const units: WorkUnit[] = [];
  for (const { partition, specs, done } of partitions) {
    const finished = new Set(done);
    const open = specs.filter((_, index) => !finished.has(index));
    for (const batch of batches(open, targetRows)) {
      units.push({ formatVersion: 1, modelUri, model, root, partition, specs: batch });
    }
  }
  return units;
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
