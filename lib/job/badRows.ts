import { z } from 'zod';

/** Share of a partition's rows that a job leaves out unless it says otherwise: a producer's slip, and no broken day. */
const DEFAULT_MAX_SHARE = 0.001;
/** What a part holds of them in memory has an end. */
const DEFAULT_MAX_ROWS = 10_000;

const budgetSchema = z.strictObject({
  /** Share of a partition's rows that may be left out, inclusive. */
  maxShare: z.number().min(0).max(1).default(DEFAULT_MAX_SHARE),
  /** Rows of a partition that may be left out, inclusive. */
  maxRows: z.int().min(1).default(DEFAULT_MAX_ROWS),
});

/** How many rows of a partition may be left out. */
export type DeadLetterBudget = Readonly<z.infer<typeof budgetSchema>>;

/**
 * What becomes of rows that can't be encoded or have a null key: `fail` gives up their shard; `deadLetter` leaves them out of the
 * scores and writes them to a file, within a budget.
 */
export const badRowsSchema = z.union([
  z.literal('fail'),
  z.strictObject({
    /** Such rows are left out of the scores and written to a file, within a budget. */
    deadLetter: budgetSchema.prefault({}),
  }),
]);
export type BadRows = Readonly<z.infer<typeof badRowsSchema>>;

/** Undefined where such rows aren't left out. */
export function deadLetterBudget(badRows: BadRows | undefined): DeadLetterBudget | undefined {
  return badRows === undefined || badRows === 'fail' ? undefined : badRows.deadLetter;
}
