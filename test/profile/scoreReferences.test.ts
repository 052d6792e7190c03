import { describe, expect, it } from 'vitest';
import { allocateEncodedRows } from '../../lib/features/encodedRows.ts';
import { featureLayout } from '../../lib/features/featureLayout.ts';
import { countScores, scoreReferences } from '../../lib/profile/scoreReferences.ts';
import { sliceReferences } from '../../lib/profile/sliceReferences.ts';
import { fittedContract } from '../features/fittedVocabularies.ts';

const scores = (pctr: readonly number[], pcvr: readonly number[]) => ({
  pctr: Float32Array.from(pctr),
  pcvr: Float32Array.from(pcvr),
});

describe('the reference of the scores', () => {
  it('has means and bins of the validation rows, computed by hand', () => {
    const counted = countScores(scores([0.5, 0.25, 1, 0], [0.5, 0.5, 1, 1]));
    const { pctr, pcvr, pctcvr } = scoreReferences(counted, []);
    expect(pctr).toMatchObject({ mean: 0.4375, meanRatio: 1, psi: 0 });
    expect(pcvr.mean).toBe(0.75);
    expect(pctcvr.mean).toBe((0.25 + 0.125 + 1 + 0) / 4);
    // Four bins an octave up to 64 for 1; bin 0 begins at 0.
    const filled = (counts: readonly number[]) =>
      counts.flatMap((count, bin) => (count === 0 ? [] : [[bin, count]]));
    expect(filled(pctr.counts)).toEqual([
      [0, 1],
      [56, 1],
      [60, 1],
      [64, 1],
    ]);
    expect(filled(pcvr.counts)).toEqual([
      [60, 2],
      [64, 2],
    ]);
    expect(filled(pctcvr.counts)).toEqual([
      [0, 1],
      [52, 1],
      [56, 1],
      [64, 1],
    ]);
  });

  it('takes -0, which an own model may give, for 0: it has no bin of its own behind the last', () => {
    expect(countScores(scores([-0, 0.5], [0.5, -0]))).toEqual(countScores(scores([0, 0.5], [0.5, 0])));
  });

  it('has the day whose mean is the largest multiple of that of all days, or the smallest part', () => {
    const day = (score: number) =>
      countScores(scores(new Array(10_000).fill(score), new Array(10_000).fill(0.5)));
    const { pctr, pcvr } = scoreReferences(day(0.5), [day(0.125), day(0.5), day(0.5), day(0.375)]);
    expect(pctr.meanRatio).toBeCloseTo(0.375 / 0.125, 12);
    expect(pctr.psi).toBeGreaterThan(1);
    expect(pcvr.meanRatio).toBe(1);
    expect(pcvr.psi).toBeLessThan(0.01);
    const short = (rows: number) => countScores(scores(new Array(rows).fill(0), new Array(rows).fill(0)));
    const ratioWith = (rows: number) => scoreReferences(day(0.5), [day(0.5), short(rows)]).pctr.meanRatio;
    expect(ratioWith(199)).toBeCloseTo(10_199 / 10_000, 12);
    expect(ratioWith(200)).toBeGreaterThan(1000);
    expect(scoreReferences(day(0), [day(0), day(0.5)]).pctr.meanRatio).toBe(0.25 * 2 ** 24);
  });

  it('is the same for rows in any order, to the last bit', () => {
    const pctr = Array.from({ length: 5000 }, (_, row) => ((row * 7919) % 5003) / 5003);
    const pcvr = pctr.map((score) => score ** 3);
    const forwards = countScores(scores(pctr, pcvr));
    expect(countScores(scores(pctr.toReversed(), pcvr.toReversed()))).toEqual(forwards);
  });
});

describe('slices', () => {
  const fitted = fittedContract({
    contractVersion: 1,
    rowKeys: ['key'],
    features: [
      {
        kind: 'categorical',
        column: 'city',
        table: { type: 'string', vocabulary: { fitted: { values: ['Ulm', 'Hof', 'Bonn'] } } },
      },
      { kind: 'categorical', column: 'hashed', table: { type: 'int', hash: { buckets: 100 } } },
      { kind: 'bucketed', column: 'price', buckets: 4, fitted: { boundaries: [1, 2.5, 9] } },
    ],
  });
  const layout = featureLayout(fitted.contract);
  const referenceOf = (name: string, ids: readonly number[], pctr: readonly number[]) => {
    const rows = allocateEncodedRows(layout, ids.length);
    const column = layout.singles.findIndex((single) => single.name === name);
    for (const [row, id] of ids.entries()) {
      for (const [index, { table }] of layout.singles.entries()) {
        rows.singleRows[3 * row + index] = table.rowStart + (index === column ? id : 1);
      }
    }
    const given = scores(
      pctr,
      pctr.map(() => 0.5),
    );
    return sliceReferences([name], fitted, layout, rows, given)[0]!;
  };

  it('are the frequent values with their mean scores, and all others, missing ones among them', () => {
    const pctr = [0.5, 0.25, 0.75, 1, 0.125, 0];
    expect(referenceOf('city', [2, 3, 2, 0, 0, 2], pctr)).toEqual({
      name: 'city',
      ids: [2, 3],
      values: ['Hof', 'Bonn'],
      slices: [
        { rows: 3, pctr: 1.25 / 3, pcvr: 0.5 },
        { rows: 1, pctr: 0.25, pcvr: 0.5 },
        { rows: 2, pctr: 1.125 / 2, pcvr: 0.5 },
      ],
    });
  });

  it('are twenty at most, of equally frequent values those with smaller ids, and nameless where hashed', () => {
    const ids = Array.from({ length: 60 }, (_, row) => 1 + (row % 30));
    const { slices, ...others } = referenceOf('hashed', [...ids, 30], [...ids.map(() => 0), 1]);
    expect(others).toEqual({
      name: 'hashed',
      ids: [30, ...Array.from({ length: 19 }, (_, i) => i + 1)],
      values: [],
    });
    expect(slices[0]).toEqual({ rows: 3, pctr: 1 / 3, pcvr: 0.5 });
    expect(slices[20]).toEqual({ rows: 20, pctr: 0, pcvr: 0.5 });
    expect(slices).toHaveLength(21);
  });

  it('of a bucketed feature are called by their bounds, and an empty one has no mean', () => {
    const { values, slices } = referenceOf('price', [1, 2, 3, 4], [0, 0, 0, 0]);
    expect(values).toEqual(['up to 1', 'above 1 up to 2.5', 'above 2.5 up to 9', 'above 9']);
    expect(slices[4]).toEqual({ rows: 0, pctr: null, pcvr: null });
  });
});
