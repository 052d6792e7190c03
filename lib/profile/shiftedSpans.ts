import { z } from 'zod';
import { chanceStability, populationStability, totalOf } from './populationStability.ts';

const count = z.int().min(0);

/** A span whose values of a feature are distributed otherwise than validation's. */
const shiftedSpanSchema = z.strictObject({
  /** Place of the span among those of the part. */
  span: count,
  /** Its values by the feature's bins. */
  bins: z.array(count).readonly(),
});
export type ShiftedSpan = Readonly<z.infer<typeof shiftedSpanSchema>>;

/** The two most shifted ones, the most shifted one first: the second says whether a layout does that to shards. */
export const shiftedSpansSchema = z.array(shiftedSpanSchema).max(2).readonly();

/** What is less isn't recorded: most shards of most layouts, so that receipts don't grow by them. */
export const LEAST_SHIFT = 0.1;

/** As for shares (worstSpans.ts): there are many shards, and rows of one are less independent than rows of a night. */
const DEVIATIONS = 6;

/** How far one histogram surely is from another over the same bins: the population stability index less what chance may do. 0 where either is empty. */
export function surelyShifted(bins: readonly number[], usual: readonly number[]): number {
  const [found, there] = [totalOf(bins), totalOf(usual)];
  if (found === 0 || there === 0 || bins.length !== usual.length) return 0;
  const index = populationStability(bins, usual);
  return Math.max(0, index - chanceStability(usual.length, found, there, DEVIATIONS));
}

/** The two most shifted spans of some, whatever their order: of two that are alike the one that comes first in the part. */
export function mostShifted(spans: readonly ShiftedSpan[], usual: readonly number[]): ShiftedSpan[] {
  if (spans.length < 2) return [...spans];
  return spans
    .map((span) => ({ span, shift: surelyShifted(span.bins, usual) }))
    .sort((a, b) => b.shift - a.shift || a.span.span - b.span.span)
    .slice(0, 2)
    .map(({ span }) => span);
}
