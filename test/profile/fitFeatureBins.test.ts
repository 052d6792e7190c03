import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { parseContract } from '../../lib/features/contract.ts';
import { allocateEncodedRows, type EncodedRows } from '../../lib/features/encodedRows.ts';
import { featureLayout } from '../../lib/features/featureLayout.ts';
import { emptyProfile } from '../../lib/profile/addProfiles.ts';
import { type FeatureBins, MAX_FEATURE_BINS } from '../../lib/profile/featureBins.ts';
import { fitFeatureBins } from '../../lib/profile/fitFeatureBins.ts';
import { ProfileCounter } from '../../lib/profile/profileCounter.ts';

const BUCKETS = 5000;

/** A hashed feature of ids 1 to BUCKETS, a list of the same kind, and a number. */
const layout = featureLayout(
  parseContract({
    contractVersion: 1,
    rowKeys: ['key'],
    features: [
      { kind: 'categorical', column: 'other', table: { type: 'int', hash: { buckets: 7 } } },
      { kind: 'categorical', column: 'id', table: { type: 'int', hash: { buckets: BUCKETS } } },
      {
        kind: 'list',
        column: 'list',
        table: { type: 'int', hash: { buckets: BUCKETS } },
        maxLength: 3,
        keep: 'first',
      },
      { kind: 'numeric', column: 'other_number', standardise: false },
      { kind: 'numeric', column: 'number', standardise: false },
    ],
  }),
);
const [ID, LIST, NUMBER] = [1, 2, 4];

interface Row {
  /** Local ids; 0 is no value. */
  readonly id?: number;
  readonly list?: readonly number[];
  /** Undefined: missing. */
  readonly number?: number;
}

function encoded(rows: readonly Row[]): EncodedRows {
  const into = allocateEncodedRows(layout, rows.length);
  const [tableOfId, tableOfList] = [layout.singles[1]!.table.rowStart, layout.lists[0]!.table.rowStart];
  for (const [row, { id = 0, list = [], number }] of rows.entries()) {
    into.singleRows.set([layout.singles[0]!.table.rowStart + 1 + (row % 7), tableOfId + id], 2 * row);
    for (const [at, value] of list.entries()) {
      into.listRows[3 * row + at] = tableOfList + value;
      into.listWeights[3 * row + at] = 1 / list.length;
    }
    into.dense.set([row, 0, number ?? 0, number === undefined ? 1 : 0], 4 * row);
  }
  return into;
}

const binsOf = (rows: readonly Row[]) => fitFeatureBins(layout, encoded(rows), rows.length);
const idEnds = (ids: readonly number[]) => binsOf(ids.map((id) => ({ id })))[ID]!.ends;
const numberEnds = (numbers: readonly (number | undefined)[]) =>
  binsOf(numbers.map((number) => (number === undefined ? {} : { number })))[NUMBER]!.ends;

/** How many of the first `rowCount` rows are in each bin of each feature. */
function binCounts(bins: readonly FeatureBins[], rows: EncodedRows, rowCount: number) {
  const { features } = emptyProfile(layout);
  const named = features.map(({ name }, feature) => ({ name, bins: bins[feature]! }));
  const counter = new ProfileCounter(layout, { features: named, slices: [] });
  counter.add(rows, rowCount, { pctr: new Float32Array(0), pcvr: new Float32Array(0) });
  return counter.profile(features).features.map((feature) => feature.bins);
}

/** How many of `rows` are in each bin that was fitted on them. */
function countsOf(rows: readonly Row[], feature: number): readonly number[] {
  const into = encoded(rows);
  return binCounts(fitFeatureBins(layout, into, rows.length), into, rows.length)[feature]!;
}

describe('bins of ids', () => {
  it('end where a bin is nearest to an equal share of what is left, above it or below', () => {
    // Of 20 ids with 60 rows each, a share is 100 rows of 1,200 at first: two ids are 20 off, one 40.
    const ids = Array.from({ length: 1200 }, (_, row) => 1 + (row % 20));
    expect(idEnds(ids)).toEqual([2, 4, 6, 8, 10, 11, 13, 14, 16, 17, 19]);
  });

  it('are as many as ids where these are few, and none stays empty', () => {
    expect(idEnds([3, 1, 3, 9, 1])).toEqual([1, 3]);
    expect(
      countsOf(
        [3, 1, 3, 9, 1].map((id) => ({ id })),
        ID,
      ),
    ).toEqual([2, 2, 1]);
  });

  it('hold equal shares of many ids', () => {
    const rows = Array.from({ length: 2400 }, (_, row) => ({ id: 1 + (row % 1200) }));
    expect(countsOf(rows, ID)).toEqual(Array.from({ length: MAX_FEATURE_BINS }, () => 200));
  });

  it('give an id that nearly all rows have a bin of its own, and all others those that are left', () => {
    const rows = Array.from({ length: 100_000 }, (_, row) => ({
      id: row % 100 === 0 ? 1 + ((row / 100) % 110) : 50,
    }));
    const counts = countsOf(rows, ID);
    expect(counts).toHaveLength(MAX_FEATURE_BINS);
    expect(Math.max(...counts)).toBe(99_000 + 9);
    expect(counts.filter((count) => count >= 50 && count <= 500)).toHaveLength(MAX_FEATURE_BINS - 1);
  });

  it('of a single value leave room below and above it, within the table', () => {
    expect(idEnds([7, 7, 0, 7])).toEqual([6, 7]);
    expect(idEnds([1, 1])).toEqual([1]);
    expect(idEnds([BUCKETS])).toEqual([BUCKETS - 1]);
  });

  it('are one where every value is missing', () => {
    expect(idEnds([0, 0, 0])).toEqual([]);
    expect(countsOf([{}, {}], ID)).toEqual([0]);
  });

  it('of a list count its values, not its rows', () => {
    const rows = [{ list: [1, 2, 2] }, { list: [] }, { list: [4] }];
    expect(binsOf(rows)[LIST]).toEqual({ kind: 'ids', ends: [1, 2] });
    expect(countsOf(rows, LIST)).toEqual([1, 2, 1]);
  });
});

describe('bins of numbers', () => {
  it('end at values that are there, ascending through negative ones and zero', () => {
    expect(numberEnds([-2, -0.5, -0, 0, 1, 3])).toEqual([-2, -0.5, 0, 1]);
  });

  it('hold equal shares, also where thousands of values differ in their last digits only', () => {
    const rows = Array.from({ length: 12_000 }, (_, row) => ({ number: 2000 + row / 2 ** 10 }));
    for (const count of countsOf(rows, NUMBER)) expect(Math.abs(count - 1000)).toBeLessThanOrEqual(1);
  });

  it('hold about equal shares of numbers over many orders of magnitude', () => {
    const random = new RandomStream(5);
    const rows = Array.from({ length: 24_000 }, () => ({ number: Math.exp(9 * random.nextNormal()) }));
    const counts = countsOf(rows, NUMBER);
    expect(counts).toHaveLength(MAX_FEATURE_BINS);
    for (const count of counts) expect(Math.abs(count - 2000)).toBeLessThan(500);
  });

  it('of a constant tell a number that is a thousand times as large or as small', () => {
    const ends = numberEnds([5, undefined, 5]);
    const bins = binsOf([{ number: 5 }, {}, { number: 5 }]);
    expect(ends).toHaveLength(2);
    const other = encoded([{ number: 5 }, { number: 5000 }, { number: 0.005 }, { number: 5.000001 }]);
    expect(binCounts(bins, other, 4)[NUMBER]).toEqual([1, 2, 1]);
  });

  it('are one where every value is missing, and finite at the ends of float32', () => {
    expect(numberEnds([undefined, undefined])).toEqual([]);
    const largest = Math.fround(3.4028234e38);
    for (const number of [largest, -largest]) {
      for (const end of numberEnds([number])) expect(Number.isFinite(end)).toBe(true);
    }
    expect(numberEnds([largest, -largest, 1e-45, -1e-45])).toEqual([
      -largest,
      Math.fround(-1e-45),
      Math.fround(1e-45),
    ]);
  });
});

it('bins are few, ascending, hold every value once, and are the same for rows in any order', () => {
  const number = fc.oneof(fc.constantFrom(0, -0, 1, -1), fc.float({ noNaN: true, noDefaultInfinity: true }));
  const row = fc.record(
    {
      id: fc.oneof(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: BUCKETS })),
      list: fc.array(fc.integer({ min: 1, max: BUCKETS }), { maxLength: 3 }),
      number,
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.array(row, { maxLength: 200 }), (rows) => {
      const bins = binsOf(rows);
      for (const { ends } of bins) {
        expect(ends.length).toBeLessThan(MAX_FEATURE_BINS);
        expect(ends.every((end, index) => index === 0 || end > ends[index - 1]!)).toBe(true);
        // A document must give back the very numbers.
        expect(JSON.parse(JSON.stringify(ends))).toEqual(ends);
      }
      const counts = binCounts(bins, encoded(rows), rows.length);
      const sum = (feature: number) => counts[feature]!.reduce((total, count) => total + count, 0);
      expect(sum(ID)).toBe(rows.filter(({ id = 0 }) => id > 0).length);
      expect(sum(LIST)).toBe(rows.reduce((total, { list = [] }) => total + list.length, 0));
      expect(sum(NUMBER)).toBe(rows.filter((each) => each.number !== undefined).length);
      // The other two features are of the row's number.
      const reversed = binsOf(rows.toReversed());
      for (const feature of [ID, LIST, NUMBER]) expect(reversed[feature]).toEqual(bins[feature]);
    }),
    { numRuns: 60 },
  );
});
