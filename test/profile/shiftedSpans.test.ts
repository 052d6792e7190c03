import { expect, test } from 'vitest';
import { IdBins } from '../../lib/features/binCounter.ts';
import type { FeatureLayout } from '../../lib/features/featureLayout.ts';
import { mostShifted, surelyShifted } from '../../lib/profile/shiftedSpans.ts';
import { SpanTally } from '../../lib/profile/spanTally.ts';
import { countedSpansSchema, WorstSpanFinder } from '../../lib/profile/worstSpans.ts';

const layout = { singles: [{ name: 'a' }], lists: [], numerics: [] } as unknown as FeatureLayout;
const USUAL = [5_000, 5_000];
const reference = { features: [{ name: 'a', counts: USUAL }] };
const counts = (span: number, ...bins: readonly [number, number]) => {
  const rows = bins[0] + bins[1];
  return { span, counts: [rows, rows, 0, 0, ...bins] };
};

test('a shift is sure only beyond six deviations of chance', () => {
  expect(surelyShifted([0, 1_000], USUAL)).toBeGreaterThan(3);
  expect(surelyShifted([480, 520], USUAL)).toBe(0);
  expect(surelyShifted([0, 3], USUAL)).toBe(0);
  expect(surelyShifted([0, 0], USUAL)).toBe(0);
  expect(surelyShifted([0, 0, 1_000], USUAL)).toBe(0);
});

test('the two most shifted spans are found whatever the order and the cuts, those like validation in none', () => {
  const spans = [counts(0, 500, 500), counts(1, 0, 900), counts(2, 800, 100), counts(3, 30, 900)];
  const expected = [
    { span: 1, bins: [0, 900] },
    { span: 3, bins: [30, 900] },
  ];
  for (let cut = 0; cut <= spans.length; cut++) {
    const joined = new WorstSpanFinder(layout, reference);
    for (const piece of [spans.slice(0, cut), spans.slice(cut)]) {
      const segment = new WorstSpanFinder(layout, reference);
      for (const span of piece) segment.add(span);
      joined.addAll(countedSpansSchema.parse(JSON.parse(JSON.stringify(segment.counted()))));
    }
    expect(joined.found()[0]!.shifted).toEqual(expected);
  }
  const alike = new WorstSpanFinder(layout, reference);
  alike.add(counts(0, 500, 500));
  expect(alike.found()[0]!.shifted).toEqual([]);
});

test('of two spans that are shifted alike the one that comes first is the most shifted', () => {
  const [late, early] = [2, 1].map((span) => ({ span, bins: [0, 700] }));
  expect(mostShifted([late!, early!], USUAL)).toEqual([early, late]);
});

test('a tally gives each span the values of its rows by bins', () => {
  const binCounter = new IdBins([1], 4);
  const encoder = [{ name: 'a', values: 0, missing: 0, unseen: 0, binCounter }];
  const tally = new SpanTally(encoder, [
    { span: 0, rows: 3 },
    { span: 1, rows: 2 },
  ]);
  const encode = (bins: readonly number[]) => {
    for (const bin of bins) binCounter.counts[bin]!++;
    encoder[0]!.values += bins.length;
    tally.encoded(bins.length);
  };
  encode([0, 1, 1]);
  encode([1, 1]);
  expect(tally.found).toEqual({
    spans: [0, 1],
    counts: Float64Array.of(3, 3, 0, 0, 1, 2, 2, 2, 0, 0, 0, 2),
  });
});
