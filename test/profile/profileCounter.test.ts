import { describe, expect, it } from 'vitest';
import { allocateEncodedRows, sliceEncodedRows } from '../../lib/features/encodedRows.ts';
import { addProfiles, emptyProfile, type ProfileBins } from '../../lib/profile/addProfiles.ts';
import { SCORE_UNIT } from '../../lib/profile/partProfile.ts';
import { ProfileCounter } from '../../lib/profile/profileCounter.ts';
import { syntheticLayout, syntheticRows } from '../fixtures/syntheticModel.ts';

// Tables of so many ids that not all of them have their bin looked up.
const layout = syntheticLayout({ singles: 2, lists: [3], numerics: 1, buckets: 200_000 });
const bins: ProfileBins = {
  features: [
    { name: 's0', bins: { kind: 'ids', ends: [1_000, 65_535, 65_536, 150_000] } },
    { name: 's1', bins: { kind: 'ids', ends: [] } },
    { name: 'l0', bins: { kind: 'ids', ends: [40_000, 100_000, 190_000] } },
    { name: 'n0', bins: { kind: 'numbers', ends: [-1, 0, 0.25] } },
  ],
  slices: [{ name: 's1', ids: [150_000, 7] }],
};
const ROWS = 3_000;
const { rows } = syntheticRows(layout, ROWS, { seed: 5 });
// The ends of bins, the ids of slices, missing and unseen ones, and the numbers at the ends.
for (const [row, id] of [0, 1, 1_000, 1_001, 65_535, 65_536, 65_537, 150_000, 150_001, 200_000].entries()) {
  rows.singleRows[row * 2] = layout.singles[0]!.table.rowStart + id;
}
for (const [row, id] of [7, 150_000, 0, 8].entries()) {
  rows.singleRows[row * 2 + 1] = layout.singles[1]!.table.rowStart + id;
}
for (const [row, value] of [-1, 0, 0.25, 0.2500001].entries()) rows.dense.set([value, 0], row * 2);
const scores = {
  pctr: Float32Array.from({ length: ROWS }, (_, row) => (row % 100) / 100),
  pcvr: Float32Array.from({ length: ROWS }, (_, row) => ((row * 7) % 100) / 100),
};
const NO_COUNTS = emptyProfile(layout).features.map(({ bins: _, ...counts }) => counts);

function count(from: number, to: number, counter = new ProfileCounter(layout, bins)) {
  counter.reset();
  // As in a session: a buffer of one size, which may hold other rows behind those that count.
  const batch = allocateEncodedRows(layout, 512);
  for (let start = from; start < to; start += 512) {
    const end = Math.min(to, start + 512);
    const some = sliceEncodedRows(layout, rows, start, end);
    batch.singleRows.set(some.singleRows);
    batch.listRows.set(some.listRows);
    batch.dense.set(some.dense);
    counter.add(batch, end - start, {
      pctr: scores.pctr.subarray(start, end),
      pcvr: scores.pcvr.subarray(start, end),
    });
  }
  return counter.profile(NO_COUNTS);
}

describe('a profile counter', () => {
  it('puts every known value into the bin whose ends it lies between, and no other', () => {
    const { features } = count(0, ROWS);
    const binned = (name: string, values: number[]) => {
      const { ends } = bins.features.find((feature) => feature.name === name)!.bins;
      const lower = [Number.NEGATIVE_INFINITY, ...ends];
      const upper = [...ends, Number.POSITIVE_INFINITY];
      return lower.map((low, bin) => values.filter((value) => value > low && value <= upper[bin]!).length);
    };
    const single = (field: number) =>
      Array.from({ length: ROWS }, (_, row) => {
        return rows.singleRows[row * 2 + field]! - layout.singles[field]!.table.rowStart;
      }).filter((id) => id > 0);
    const listed = [...rows.listRows]
      .filter((row) => row > 0)
      .map((row) => row - layout.lists[0]!.table.rowStart);
    const numbers = Array.from({ length: ROWS }, (_, row) => row)
      .filter((row) => rows.dense[row * 2 + 1] === 0)
      .map((row) => rows.dense[row * 2]!);
    const expected = [single(0), single(1), listed, numbers];
    expect(features.map(({ name, bins: found }) => [name, found])).toEqual(
      bins.features.map(({ name }, index) => [name, binned(name, expected[index]!)]),
    );
    for (const { bins: found } of features) expect(Math.min(...found)).toBeGreaterThan(0);
  });

  it.each([1, 3, 4, 6, 512])(
    'counts the bins of a table whose ids are all looked up, of %i rows',
    (rowCount) => {
      const small = syntheticLayout({ singles: 2, lists: [3], numerics: 0, buckets: 50 });
      const ends = [3, 20];
      const features = ['s0', 's1', 'l0'].map((name) => ({ name, bins: { kind: 'ids' as const, ends } }));
      const { rows: encoded } = syntheticRows(small, 512, { seed: 6 });
      const counter = new ProfileCounter(small, { features, slices: [] });
      counter.add(encoded, rowCount, { pctr: new Float32Array(512), pcvr: new Float32Array(512) });
      const noCounts = emptyProfile(small).features.map(({ bins: _, ...counts }) => counts);
      const [first, second, list] = [...small.singles, ...small.lists].map(({ table }) => table.rowStart);
      const idsOf = (all: Int32Array, rowStart: number) =>
        [...all].filter((row) => row > rowStart).map((row) => row - rowStart);
      const column = (field: number) =>
        encoded.singleRows.subarray(0, 2 * rowCount).filter((_, at) => at % 2 === field);
      const ids = [
        idsOf(column(0), first!),
        idsOf(column(1), second!),
        idsOf(encoded.listRows.subarray(0, small.listWidth * rowCount), list!),
      ];
      const binned = ids.map((some) => [
        some.filter((id) => id <= 3).length,
        some.filter((id) => id > 3 && id <= 20).length,
        some.filter((id) => id > 20).length,
      ]);
      expect(counter.profile(noCounts).features.map(({ bins: found }) => found)).toEqual(binned);
    },
  );

  it('sums rows and scores of each slice, in the order of its ids, and of all others', () => {
    const { slices } = count(0, ROWS);
    const sums = [0, 1, 2].map(() => ({ rows: 0, pctr: 0, pcvr: 0 }));
    for (let row = 0; row < ROWS; row++) {
      const id = rows.singleRows[row * 2 + 1]! - layout.singles[1]!.table.rowStart;
      const sum = sums[id === 150_000 ? 0 : id === 7 ? 1 : 2]!;
      sum.rows++;
      sum.pctr += Math.round(scores.pctr[row]! * 2 ** 24);
      sum.pcvr += Math.round(scores.pcvr[row]! * 2 ** 24);
    }
    expect(slices).toEqual([{ name: 's1', slices: sums }]);
    expect(sums.map((sum) => sum.rows)).toEqual([1, 1, ROWS - 2]);
  });

  it('gives the same for all rows as its sum over parts of them, and remembers nothing of what came before', () => {
    const counter = new ProfileCounter(layout, bins);
    const whole = count(0, ROWS, counter);
    const parts = [0, 1, 513, 1_600].map((from, index, all) => count(from, all[index + 1] ?? ROWS, counter));
    expect(parts.reduce(addProfiles)).toEqual(whole);
    expect(count(0, 0, counter)).toEqual(emptyProfile(layout, bins));
  });

  it('takes what is no score for 0, so that its sums stay numbers', () => {
    const counter = new ProfileCounter(layout, bins);
    const pctr = Float32Array.of(Number.NaN, 1, -0.5, 1.5, Number.POSITIVE_INFINITY);
    const pcvr = new Float32Array(5).fill(SCORE_UNIT);
    counter.add(sliceEncodedRows(layout, rows, 100, 105), 5, { pctr, pcvr });
    expect(counter.profile(NO_COUNTS).slices[0]!.slices[2]).toEqual({ rows: 5, pctr: 2 ** 24, pcvr: 5 });
  });
});
