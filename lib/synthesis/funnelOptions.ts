import { z } from 'zod';
import { parseDocument } from '../base/jsonDocument.ts';

/** Values of all fields together: their latent vectors are written to truth.json. */
const MOST_VALUES = 1_000_000;

const schema = z.strictObject({
  seed: z.int().min(0).default(1),
  /** Partitions: first those to train on, then those to choose on, then those to report on. */
  days: z.int().min(3).max(1000).default(6),
  /** More of them make the choice of a checkpoint less a matter of luck. */
  validationDays: z.int().min(1).default(1),
  /** More of them tell smaller differences from noise. */
  reportDays: z.int().min(1).default(1),
  firstDate: z.iso.date().default('2024-03-01'),
  rowsPerDay: z.int().min(1).max(10_000_000).default(40_000),
  /** F: categorical fields. */
  fields: z.int().min(2).max(64).default(8),
  /** V: values of every field; a few of them get most impressions. */
  vocabulary: z.int().min(2).max(100_000).default(60),
  /** K: hidden features of the teacher. */
  units: z.int().min(1).max(256).default(16),
  /** rho in [0, 1]: 1, both tasks need the same hidden features; 0, unrelated ones. */
  featureRelatedness: z.number().min(0).max(1).default(0.5),
  /** r in [-1, 1]: how alike the tasks weigh the hidden features. */
  outputRelatedness: z.number().min(-1).max(1).default(0.5),
  /** P(click). */
  clickRate: z.number().gt(0).lt(1).default(0.2),
  /** P(conversion | click). */
  conversionRate: z.number().gt(0).lt(1).default(0.2),
  /** Factor on the standardised logits; 2 gives a best possible AUC of about .87. */
  gain: z.number().positive().max(100).default(2),
  /** Factor on a standard normal that nobody sees and both logits share: clicks then select conversions. */
  selectionBias: z.number().min(0).max(100).default(0),
  /** The first fields, as many as this, mean nothing to conversions. */
  clickbaitFields: z.int().min(0).default(0),
  /** Radians a day by which the teachers' read-outs turn away from those of the first day. */
  drift: z.number().min(0).max(Math.PI).default(0),
});

/** Knobs of the synthetic funnel (method, appendix A.2), every default filled in. */
export type FunnelOptions = z.infer<typeof schema>;

/** How much the tasks compete: hidden features of their own, or the same ones. */
export const CONFLICTS = {
  low: { featureRelatedness: 1, outputRelatedness: 0.5 },
  high: { featureRelatedness: 0, outputRelatedness: 0.5 },
} as const;
export type Conflict = keyof typeof CONFLICTS;

/** @throws ProblemsError SYNTHESIS_OPTIONS_INVALID */
export function parseFunnelOptions(options: unknown): FunnelOptions {
  return parseDocument(options, schema, {
    code: 'SYNTHESIS_OPTIONS_INVALID',
    summary: 'the synthetic funnel has invalid options',
    crossCheck: (valid) => (valid === undefined ? [] : contradictions(valid)),
  });
}

function contradictions({
  clickbaitFields,
  fields,
  vocabulary,
  days,
  validationDays,
  reportDays,
}: FunnelOptions): string[] {
  const problems: string[] = [];
  if (clickbaitFields > fields - 2) {
    problems.push('clickbaitFields: at least two fields must be left for conversions');
  }
  if (fields * vocabulary > MOST_VALUES) {
    problems.push(`fields, vocabulary: more than ${MOST_VALUES} values in all`);
  }
  if (validationDays + reportDays >= days) {
    problems.push(`validationDays, reportDays: no day of ${days} is left to train on`);
  }
  return problems;
}
