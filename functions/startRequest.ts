import { z } from 'zod';
import { arrivalInputSchema } from '../lib/arrivals/arrivalRun.ts';

const isoDate = z.iso.date();

/** What the state machine is started with: partitions to choose, a plan, or a partition in which something landed. */
export const startRequestSchema = z.union([
  z.strictObject({
    partitions: z.discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('newest') }),
      z.strictObject({ kind: z.literal('one'), partition: z.string() }),
      z.strictObject({ kind: z.literal('dates'), from: isoDate, to: isoDate }),
    ]),
    /** Another model than the job's. */
    modelUri: z.string().optional(),
    liftHold: z.boolean().default(false),
  }),
  /** Below `plans/` of the stage's output root, where `run --state-machine` has put it. */
  z.strictObject({ planUri: z.string() }),
  arrivalInputSchema,
]);
export type StartRequest = z.infer<typeof startRequestSchema>;
