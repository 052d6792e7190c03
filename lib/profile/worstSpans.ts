import { z } from 'zod';
import type { FeatureLayout } from '../features/featureLayout.ts';
import type { FeatureReference } from './modelReference.ts';
import {
  LEAST_SHIFT,
  mostShifted,
  type ShiftedSpan,
  shiftedSpansSchema,
  surelyShifted,
} from './shiftedSpans.ts';

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
 * none has any, and those whose values are distributed least like validation's: what a partition's sums hide. The same size
 * whatever the number of spans.
 */
export const worstSpansSchema = z
  .array(
    z.strictObject({
      name: z.string(),
      missing: worstSpanSchema.nullable(),
      unseen: worstSpanSchema.nullable(),
      shifted: shiftedSpansSchema.default([]),
    }),
  )
  .readonly();
export type WorstSpans = Readonly<z.infer<typeof worstSpansSchema>>;

/** Counts of some rows of one span: how many rows, then of each feature its values, missing, unseen and those in each of its bins. */
const spanCountsSchema = z.strictObject({ span: count, counts: z.array(count).readonly() });
export type SpanCounts = Readonly<z.infer<typeof spanCountsSchema>>;

/** `SpanCounts` of several spans, in order: an array for each would take a message as long as their rows' scores do. */
export interface TalliedSpans {
  readonly spans: readonly number[];
  /** Those of a span behind those of the one before. */
  readonly counts: Float64Array<ArrayBuffer>;
}

/** Of row groups one after the other: spans that may go on in front of them or behind them, and the worst of the others. */
export const countedSpansSchema = z
  .strictObject({
    worst: worstSpansSchema,
    /** The first and the last one. */
    edges: z.array(spanCountsSchema).max(2).readonly(),
  })
  .refine(({ worst, edges }) => edges.every(({ counts }) => counts.length >= 1 + 3 * worst.length), {
    error: 'expected at least three counts of each feature behind the rows',
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

type WritableWorst = { -readonly [Key in keyof WorstSpans[number]]: WorstSpans[number][Key] };

/** Finds the worst spans of a part from counts that come in the order of its rows. */
export class WorstSpanFinder {
  readonly #worst: readonly WritableWorst[];
  /** Of each feature, by its bins. */
  readonly #usual: readonly (readonly number[])[];
  /** By span, in order. */
  readonly #edges = new Map<number, number[]>();

  /** @param reference of the model whose encoder counts; without one it knows no bins */
  constructor(
    { singles, lists, numerics }: Pick<FeatureLayout, 'singles' | 'lists' | 'numerics'>,
    reference: { readonly features: readonly Pick<FeatureReference, 'name' | 'counts'>[] } = { features: [] },
  ) {
    const usual = new Map(reference.features.map(({ name, counts }) => [name, counts]));
    const names = [...singles, ...lists, ...numerics].map(({ name }) => name);
    this.#worst = names.map((name) => ({ name, missing: null, unseen: null, shifted: [] }));
    this.#usual = names.map((name) => usual.get(name) ?? []);
  }

  /** Counts rows behind those that were added. */
  add({ span, counts }: { readonly span: number; readonly counts: ArrayLike<number> }): void {
    const known = this.#edges.get(span);
    if (known !== undefined) {
      for (let index = 0; index < counts.length; index++) known[index]! += counts[index]!;
      return;
    }
    // The first may have begun before, and the last goes on: what lies between them is whole.
    const [, between] = this.#edges.keys();
    if (between !== undefined) {
      this.#addSpan(between, this.#edges.get(between)!);
      this.#edges.delete(between);
    }
    this.#edges.set(span, Array.from(counts));
  }

  /** As `add`, of one span after the other. */
  addTallied({ spans, counts }: TalliedSpans): void {
    const width = counts.length / spans.length;
    for (const [index, span] of spans.entries()) {
      this.add({ span, counts: counts.subarray(index * width, (index + 1) * width) });
    }
  }

  /** Counts row groups behind those that were added. */
  addAll({ worst, edges }: CountedSpans): void {
    for (const edge of edges) this.add(edge);
    for (const [feature, own] of this.#worst.entries()) {
      own.missing = worseOf(own.missing, worst[feature]!.missing);
      own.unseen = worseOf(own.unseen, worst[feature]!.unseen);
      own.shifted = mostShifted([...own.shifted, ...worst[feature]!.shifted], this.#usual[feature]!);
    }
  }

  counted(): CountedSpans {
    const edges = [...this.#edges].map(([span, counts]) => ({ span, counts: [...counts] }));
    return { worst: this.#worst.map((feature) => ({ ...feature })), edges };
  }

  /** Of all rows, where they are those of the whole part. */
  found(): WorstSpans {
    const worst = this.#worst.map((feature) => ({ ...feature }));
    for (const [span, counts] of this.#edges) this.#addSpan(span, counts, worst);
    return worst;
  }

  /** Mostly nothing is missing, unseen or shifted, so that hardly anything is kept. @param counts as in `SpanCounts` */
  #addSpan(span: number, counts: readonly number[], to: readonly WritableWorst[] = this.#worst): void {
    const rows = counts[0]!;
    let at = 1;
    for (const [index, feature] of to.entries()) {
      const values = counts[at++]!;
      const missing = counts[at++]!;
      const unseen = counts[at++]!;
      if (missing > 0) feature.missing = worseOf(feature.missing, { span, count: missing, of: rows });
      if (unseen > 0) feature.unseen = worseOf(feature.unseen, { span, count: unseen, of: values });
      const usual = this.#usual[index]!;
      if (usual.length === 0) continue;
      const shifted: ShiftedSpan = { span, bins: counts.slice(at, at + usual.length) };
      at += usual.length;
      if (surelyShifted(shifted.bins, usual) < LEAST_SHIFT) continue;
      feature.shifted = mostShifted([...feature.shifted, shifted], usual);
    }
  }
}
