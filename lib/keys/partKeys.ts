import { z } from 'zod';
import { pathSchema } from '../storage/uri.ts';

/** 64 bits, most significant digit first. */
const hex64 = z.string().regex(/^[0-9a-f]{16}$/);

/** What a receipt says of its part's row keys, found by reading the part back; follows from the part and its spans. */
export const partKeysSchema = z.strictObject({
  /** Row keys in their order, and the Arrow type of each as text, such as `Int64`. */
  types: z.array(z.strictObject({ name: z.string(), type: z.string() })).readonly(),
  /**
   * One per span of the part, of its rows with their pCTR and pCVR: a sum over the rows, so that it is the same in whatever
   * order, shard, part or partition they are. 0 for a span without rows.
   */
  spans: z.array(hex64).readonly(),
  /** The same of the rows' keys alone: equal for the same rows scored by another model. */
  keySpans: z.array(hex64).readonly(),
  /** Rows whose fingerprint an earlier row of the part has too: the part's own repetitions. */
  repeatedRows: z.int().min(0),
  /** The sorted fingerprints of all rows, 8 bytes each, below the output root; null for a part without rows. */
  fingerprints: z.strictObject({ path: pathSchema, sizeBytes: z.int().min(0) }).nullable(),
});
export type PartKeys = Readonly<z.infer<typeof partKeysSchema>>;
