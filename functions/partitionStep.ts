import { z } from 'zod';
import { arrivalInputSchema } from '../lib/arrivals/arrivalRun.ts';
import { partitionRunSchema } from '../lib/publish/partitionRun.ts';

const s3LocationSchema = z.strictObject({ bucket: z.string(), key: z.string() });

/** What a partition's steps in the state machine hand from one to the next, as an item of its outer map. */
export const partitionStepSchema = z.object({
  /** The partition, and how it is scored and published. */
  item: partitionRunSchema,
  /**
   * Times that the partition has been planned in this run without more shards turning out to be broken;
   * infra/scoringRun.asl.json says how often it may be.
   */
  attempt: z.int().min(0),
  /** All times that it has been planned. */
  plans: z.int().min(0).optional(),
  /** Of its shards, when it was last planned. */
  brokenCount: z.int().min(0).optional(),
  /** Units that are scored at a time, of this partition. */
  mapConcurrency: z.int().min(1),
  /** Where the inner map writes what became of its items. */
  results: z.strictObject({ bucket: z.string(), prefix: z.string() }),
  /** Of a run of arrivals. */
  arrival: arrivalInputSchema.shape.arrival.optional(),
  /** A JSON array of work units, once it is planned. */
  units: s3LocationSchema.optional(),
  unitCount: z.int().min(0).optional(),
  /** False where time ran out: the same call again goes on. */
  isPlanned: z.boolean().optional(),
  /** Of a run of arrivals whose partition isn't complete, or has no shard: what has landed is none, or is gone again. */
  awaitsMore: z.literal(true).optional(),
});
export type PartitionStep = Readonly<z.infer<typeof partitionStepSchema>>;
