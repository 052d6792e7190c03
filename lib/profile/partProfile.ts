import { z } from 'zod';
import { scoreCountsSchema } from './scoreHistogram.ts';

const count = z.int().min(0);

/** What one feature looked like in some rows. */
const featureProfileSchema = z.strictObject({
  name: z.string(),
  /** Rows, or list values of a list, looked at. */
  values: count,
  /** Rows without any value. */
  missing: count,
  /** Values that training never saw. */
  unseen: count,
  /** Values in each of the reference's bins; empty where the model has no reference. */
  bins: z.array(count).readonly(),
});
export type FeatureProfile = Readonly<z.infer<typeof featureProfileSchema>>;

/** Scores summed as whole multiples of 2^-24, so that sums don't depend on their order: exact up to 2^29 rows. */
export const SCORE_UNIT = 2 ** -24;

/** A score in [0, 1] in whole SCORE_UNITs. Others, which no part may hold, count as 0 until the part is refused. */
export function scoreUnits(score: number): number {
  return score >= 0 && score <= 1 ? Math.round(score / SCORE_UNIT) : 0;
}

const sliceProfileSchema = z.strictObject({
  /** The feature whose values are the slices. */
  name: z.string(),
  /** One for each of the reference's ids, in its order, and a last one for all other values. */
  slices: z.array(z.strictObject({ rows: count, pctr: count, pcvr: count })).readonly(),
});

/** Labels that were in the shard already, by score: of a task the rows that its label is known of. */
const labelProfileSchema = z.strictObject({
  rows: count,
  positives: count,
  /** Sum of the task's score over these rows, in SCORE_UNITs. */
  score: count,
  /** By the bin of the task's score: all these rows, and those whose label is positive. */
  rowCounts: scoreCountsSchema,
  positiveCounts: scoreCountsSchema,
  /**
   * Rows whose label lies between 0 and 1, which are in no other number: the others of such a task say nothing of its mean.
   * Absent without any.
   */
  soft: z.int().min(1).optional(),
});
export type LabelProfile = Readonly<z.infer<typeof labelProfileSchema>>;

/**
 * What scoring saw in some rows, as whole numbers that add up: the profile of a partition is the sum of its parts', whatever
 * order they were scored in. Follows from the rows and the bundle alone.
 */
export const partProfileSchema = z.strictObject({
  rows: count,
  features: z.array(featureProfileSchema).readonly(),
  slices: z.array(sliceProfileSchema).readonly(),
  /** Where the job asked for it and the shards have the label columns. */
  labels: z.strictObject({ click: labelProfileSchema, conversion: labelProfileSchema }).optional(),
});
export type PartProfile = Readonly<z.infer<typeof partProfileSchema>>;
