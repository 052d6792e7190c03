import { z } from 'zod';

/**
 * How the values of one feature fall into a few bins, after encoding. Bins are chosen on the training rows so that each holds
 * about the same share of them; missing and unseen values are counted apart and are in none.
 *
 * - `ids`: of a categorical, bucketed or list feature, by local id, from 1 (featureLayout.ts): vocabularies are ordered by
 *   frequency, so that a bin holds ids that are about equally frequent.
 * - `numbers`: of a numeric feature, by the encoded float32 value, after clip, log1p and standardisation.
 *
 * Bin i holds what is greater than `ends[i - 1]` and at most `ends[i]`; the last bin, `ends.length`, all above.
 */
export const featureBinsSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('ids'), ends: z.array(z.int().min(1)).readonly() }),
  z.strictObject({ kind: z.literal('numbers'), ends: z.array(z.number()).readonly() }),
]);
export type FeatureBins = Readonly<z.infer<typeof featureBinsSchema>>;

/** At most so many bins a feature, so that a part's profile stays a few kilobytes. */
export const MAX_FEATURE_BINS = 12;
