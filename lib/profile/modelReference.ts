import { z } from 'zod';
import { featureBinsSchema } from './featureBins.ts';
import { scoreCountsSchema } from './scoreHistogram.ts';

const share = z.number().min(0).max(1);
const count = z.int().min(0);

/** How far one day of the training data was from all of them together, at most. 0 where the data have no days, or one. */
const daySpreadSchema = z.strictObject({
  /** Largest difference of a day's share of missing values from that of all days. */
  missing: z.number().min(0),
  unseen: z.number().min(0),
  /** Largest population stability index of a day against all days, see populationStability.ts. */
  psi: z.number().min(0),
});

const featureReferenceSchema = z.strictObject({
  name: z.string(),
  bins: featureBinsSchema,
  /** Of the validation rows: what the model's vocabulary was not fitted on, as on the nights to come. */
  values: count,
  missing: count,
  unseen: count,
  counts: z.array(count).readonly(),
  spread: daySpreadSchema,
});
export type FeatureReference = Readonly<z.infer<typeof featureReferenceSchema>>;

/** A score of the validation rows. */
const scoreReferenceSchema = z.strictObject({
  mean: share,
  counts: scoreCountsSchema,
  /** Largest ratio, of at least 1, of a day's mean to that of all days or the reverse; over the days of training and validation. */
  meanRatio: z.number().min(1),
  /** As in `daySpreadSchema`. */
  psi: z.number().min(0),
});
export type ScoreReference = Readonly<z.infer<typeof scoreReferenceSchema>>;

/** At most so many values of a feature are slices of their own. */
export const MAX_SLICE_IDS = 20;

const sliceReferenceSchema = z.strictObject({
  /** A categorical or bucketed feature. */
  name: z.string(),
  /** Local ids, the most frequent ones first; all other values are one more slice. */
  ids: z.array(z.int().min(1)).readonly(),
  /** The values as text, where the contract knows them. */
  values: z.array(z.string()).readonly(),
  /** Of the validation rows, one for each id and a last one. Mean scores are null without rows. */
  slices: z.array(z.strictObject({ rows: count, pctr: share.nullable(), pcvr: share.nullable() })).readonly(),
});

/**
 * What a model's rows and scores looked like when it was trained: the yardstick of the gates. One of a bundle's files, since a
 * night's first publication has no other.
 */
export const modelReferenceSchema = z.strictObject({
  referenceVersion: z.literal(1),
  /** Of validation. */
  rows: count,
  /** Rows of every day of the training and validation data; empty where a split isn't by date. */
  days: z.array(z.strictObject({ day: z.iso.date(), rows: count })).readonly(),
  features: z.array(featureReferenceSchema).readonly(),
  scores: z.strictObject({
    pctr: scoreReferenceSchema,
    pcvr: scoreReferenceSchema,
    pctcvr: scoreReferenceSchema,
  }),
  slices: z.array(sliceReferenceSchema).readonly(),
  /** Of validation: share of positive labels, of clicks and of conversions among clicks. Absent where nothing is labelled. */
  rates: z.strictObject({ click: share, conversion: share }).optional(),
  /** Rows whose key had been there before, as a share of a day's rows: the largest one of all days (of all rows without days). */
  repeatedKeys: share,
});
export type ModelReference = Readonly<z.infer<typeof modelReferenceSchema>>;
