import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FeatureLayout } from '../../lib/features/featureLayout.ts';
import { SpanTally } from '../../lib/profile/spanTally.ts';
import {
  countedSpansSchema,
  leastShare,
  type SpanCounts,
  WorstSpanFinder,
} from '../../lib/profile/worstSpans.ts';

const layout = { singles: [{ name: 'a' }], lists: [{ name: 'b' }], numerics: [] } as unknown as FeatureLayout;
/** Of 'a', and of 'b' with as many values as told. */
const counts = (span: number, rows: number, a: readonly [number, number], b = [0, 0, 0]): SpanCounts => {
  return { span, counts: [rows, rows, ...a, ...b] };
};

describe('the share that is surely reached', () => {
  it.each([
    [10, 10, 10 / 46],
    [36, 36, 0.5],
    [1_000, 1_000, 1_000 / 1_036],
    [0, 5, 0],
  ])('of %i among %i is %f', (count, of, expected) => {
    expect(leastShare({ count, of })).toBeCloseTo(expected, 12);
  });

  it('lies below the share itself by six standard deviations of it', () => {
    for (const [count, of] of [
      [3, 10],
      [500, 1_000],
      [7, 100_000],
    ] as const) {
      const least = leastShare({ count, of });
      expect(count / of - least).toBeCloseTo(6 * Math.sqrt((least * (1 - least)) / of), 12);
    }
  });
});

describe('the worst span of each feature', () => {
  const found = (...spans: readonly SpanCounts[]) => {
    const finder = new WorstSpanFinder(layout);
    for (const span of spans) finder.add(span);
    return finder.found();
  };

  it('is the one with the largest share of its rows, or of its values, and of equal ones the first', () => {
    expect(
      found(
        counts(0, 100, [1, 0], [150, 90, 10]),
        counts(1, 100, [40, 0], [150, 0, 20]),
        counts(2, 200, [50, 0], [10, 95, 9]),
        counts(3, 100, [40, 0]),
      ),
    ).toEqual([
      { name: 'a', missing: { span: 1, count: 40, of: 100 }, unseen: null, shifted: [] },
      {
        name: 'b',
        missing: { span: 0, count: 90, of: 100 },
        unseen: { span: 2, count: 9, of: 10 },
        shifted: [],
      },
    ]);
  });

  it('is the first of equal ones also where that is counted last, since rows in front of it might have been its own', () => {
    const alike = [0, 1, 2].map((span) => counts(span, 100, [40, 0]));
    expect(found(...alike)[0]!.missing!.span).toBe(0);
  });

  it('is not a span of few rows, whose share is large by chance', () => {
    expect(found(counts(0, 3, [3, 0]), counts(1, 10_000, [2_000, 0]))[0]!.missing!.span).toBe(1);
  });

  it('is the same however the rows of the spans are cut into calls, and calls into segments', () => {
    const some = fc.record({ rows: fc.nat(60), a: fc.nat(60), b: fc.nat(60), values: fc.nat(60) });
    const pieces = fc.array(fc.record({ pieces: fc.array(some, { minLength: 1, maxLength: 4 }) }), {
      minLength: 1,
    });
    fc.assert(
      fc.property(pieces, fc.infiniteStream(fc.boolean()), (spans, cuts) => {
        const cut = spans.flatMap(({ pieces }, span) =>
          pieces.map(({ rows, a, b, values }) =>
            counts(span, rows, [Math.min(a, rows), 0], [values, Math.min(b, rows), Math.min(a, values)]),
          ),
        );
        const whole = spans.map((_, span) => {
          const own = cut.filter((piece) => piece.span === span).map((piece) => piece.counts);
          return { span, counts: own.reduce((sum, each) => sum.map((count, at) => count + each[at]!)) };
        });
        const joined = new WorstSpanFinder(layout);
        let segment = new WorstSpanFinder(layout);
        const close = () => {
          joined.addAll(countedSpansSchema.parse(JSON.parse(JSON.stringify(segment.counted()))));
          segment = new WorstSpanFinder(layout);
        };
        for (const [index, piece] of cut.entries()) {
          if (index % 3 > 0) segment.add(piece);
          else segment.addTallied({ spans: [piece.span], counts: Float64Array.from(piece.counts) });
          if (cuts.next().value) close();
        }
        close();
        const naive = ['a', 'b'].map((name, feature) => {
          const worst = (at: number, of: number) =>
            whole
              .map(({ span, counts: all }) => ({ span, count: all[at]!, of: all[of]! }))
              .filter(({ count }) => count > 0)
              .sort((x, y) => leastShare(y) - leastShare(x) || x.span - y.span)[0] ?? null;
          const first = 1 + 3 * feature;
          return { name, missing: worst(first + 1, 0), unseen: worst(first + 2, first), shifted: [] };
        });
        expect(joined.found()).toEqual(naive);
      }),
    );
  });
});

describe('a tally by span', () => {
  it('gives each span what was counted in its rows, and passes over spans without rows', () => {
    const encoder = [{ name: 'a', values: 7, missing: 3, unseen: 1 }];
    const tally = new SpanTally(encoder, [
      { span: 2, rows: 0 },
      { span: 3, rows: 5 },
      { span: 4, rows: 0 },
      { span: 6, rows: 1 },
    ]);
    const encode = (rows: number, missing: number) => {
      expect(rows).toBeLessThanOrEqual(tally.rowsLeft);
      encoder[0]!.values += rows;
      encoder[0]!.missing += missing;
      tally.encoded(rows);
    };
    encode(2, 0);
    expect(tally.rowsLeft).toBe(3);
    encode(3, 2);
    expect(tally.rowsLeft).toBe(1);
    encode(1, 1);
    expect(tally.found).toEqual({ spans: [3, 6], counts: Float64Array.of(5, 5, 2, 0, 1, 1, 1, 0) });
    expect(tally.rowsLeft).toBe(Number.POSITIVE_INFINITY);
  });
});
