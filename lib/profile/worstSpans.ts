import { z } from 'zod';
import type { FeatureLayout } from '../features/featureLayout.ts';

const count = z.int().min(0);

/** Rows of one span, or values of a list in them, and how many of them are missing or unseen. */
const worstSpanSchema = z.strictObject({
  /** Place of the span among those of the part. */
  span: count,
  count: z.int().min(1),
  of: z.int().min(1),
});
export type WorstSpan = Readonly<z.infer<typeof worstSpanSchema>>;

/**
 * Of each feature the span of a part with the most missing and the one with the most unseen values for its size, null where
 * none has any: what a partition's sums hide. The same size whatever the number of spans.
 */
export const worstSpansSchema = z
  .array(
    z.strictObject({
      name: z.string(),
      missing: worstSpanSchema.nullable(),
      unseen: worstSpanSchema.nullable(),
    }),
  )
  .readonly();
export type WorstSpans = Readonly<z.infer<typeof worstSpansSchema>>;

/** Counts of some rows of one span: how many rows, then of each feature its values, missing and unseen. */
const spanCountsSchema = z.strictObject({ span: count, counts: z.array(count).readonly() });
export type SpanCounts = Readonly<z.infer<typeof spanCountsSchema>>;

/** Of row groups one after the other: spans that may go on in front of them or behind them, and the worst of the others. */
export const countedSpansSchema = z
  .strictObject({
    worst: worstSpansSchema,
    /** The first and the last one. */
    edges: z.array(spanCountsSchema).max(2).readonly(),
  })
  .refine(({ worst, edges }) => edges.every(({ counts }) => counts.length === 1 + 3 * worst.length), {
    error: 'expected three counts of each feature behind the rows',
  });
export type CountedSpans = Readonly<z.infer<typeof countedSpansSchema>>;

/**
 * Standard deviations: more than for a partition, since there are many shards, and since rows of one shard are less independent,
 * such as many of one user.
 */
const DEVIATIONS = 6;

/**
 * A share that is surely reached, in [0, 1): the lower end of Wilson's interval. All of ten are .22, all of 36 are .5, all of a
 * thousand .97: so few rows say little, and shards of all sizes compare.
 */
export function leastShare({ count: found, of }: Pick<WorstSpan, 'count' | 'of'>): number {
  const squared = DEVIATIONS ** 2;
  const share = found / of;
  const middle = share + squared / (2 * of);
  const width = DEVIATIONS * Math.sqrt((share * (1 - share)) / of + squared / (4 * of * of));
  return Math.max(0, (middle - width) / (1 + squared / of));
}

/** The worse of two spans of one part, whatever their order: of two that are alike the one that comes first in the part. */
function worseOf(a: WorstSpan | null, b: WorstSpan | null): WorstSpan | null {
  if (a === null || b === null) return a ?? b;
  const [ofA, ofB] = [leastShare(a), leastShare(b)];
  const isFirstWorse = ofA === ofB ? a.span < b.span : ofA > ofB;
  return isFirstWorse ? a : b;
}

/** Finds the worst spans of a part from counts that come in the order of its rows. */
export class WorstSpanFinder {
  #worst: WorstSpans;
  /** By span, in order. */
  readonly #edges = new Map<number, number[]>();

  constructor({ singles, lists, numerics }: Pick<FeatureLayout, 'singles' | 'lists' | 'numerics'>) {
    this.#worst = [...singles, ...lists, ...numerics].map(({ name }) => ({
      name,
      missing: null,
      unseen: null,
    }));
  }

  /** Counts rows behind those that were added. */
  add({ span, counts }: SpanCounts): void {
    const known = this.#edges.get(span);
    if (known !== undefined) {
      for (const [index, count] of counts.entries()) known[index]! += count;
      return;
    }
    // The first may have begun before, and the last goes on: what lies between them is whole.
    const [, between] = this.#edges.keys();
    if (between !== undefined) {
      this.#worst = withSpan(this.#worst, between, this.#edges.get(between)!);
      this.#edges.delete(between);
    }
    this.#edges.set(span, [...counts]);
  }

  /** Counts row groups behind those that were added. */
  addAll({ worst, edges }: CountedSpans): void {
    for (const edge of edges) this.add(edge);
    this.#worst = this.#worst.map(({ name, missing, unseen }, index) => ({
      name,
      missing: worseOf(missing, worst[index]!.missing),
      unseen: worseOf(unseen, worst[index]!.unseen),
    }));
  }

  counted(): CountedSpans {
    return { worst: this.#worst, edges: [...this.#edges].map(([span, counts]) => ({ span, counts })) };
  }

  /** Of all rows, where they are those of the whole part. */
  found(): WorstSpans {
    return [...this.#edges].reduce((worst, [span, counts]) => withSpan(worst, span, counts), this.#worst);
  }
}

function withSpan(worst: WorstSpans, span: number, [rows, ...counts]: readonly number[]): WorstSpans {
  return worst.map(({ name, missing, unseen }, feature) => {
    const [values, missingRows, unseenValues] = counts.slice(3 * feature, 3 * feature + 3);
    const here = (found: number, of: number) => (found === 0 ? null : { span, count: found, of });
    return {
      name,
      missing: worseOf(missing, here(missingRows!, rows!)),
      unseen: worseOf(unseen, here(unseenValues!, values!)),
    };
  });
}
