import { Float64, Int32, type RecordBatch, Table, Utf8, vectorFromArray } from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import { addProfiles, emptyLabels } from '../../lib/profile/addProfiles.ts';
import { countLabels, hasLabels } from '../../lib/profile/countLabels.ts';
import { scoreBinOf } from '../../lib/profile/scoreHistogram.ts';

const LABELS = { click: 'clicked', conversion: 'bought' };

function batchOf(columns: Readonly<Record<string, readonly unknown[]>>): RecordBatch {
  const vectors = Object.entries(columns).map(([name, values]) => {
    const type = values.some((value) => typeof value === 'string')
      ? new Utf8()
      : values.every((value) => value === null || Number.isInteger(value))
        ? new Int32()
        : new Float64();
    return [name, vectorFromArray(values, type)] as const;
  });
  return new Table(Object.fromEntries(vectors)).batches[0]!;
}
const binOf = (score: number) => scoreBinOf(new Uint32Array(Float32Array.of(score).buffer)[0]!);
const binned = (...scores: number[]) => {
  const counts = new Array<number>(65).fill(0);
  for (const score of scores) counts[binOf(score)]!++;
  return counts;
};
const units = (...scores: number[]) => scores.reduce((sum, score) => sum + score * 2 ** 24, 0);

describe('labels beside scores', () => {
  const pctr = Float32Array.of(0.5, 0.25, 0.125, 1, 0.75, 0);
  const pcvr = Float32Array.of(0.0625, 0.5, 1, 0.25, 0.125, 0.03125);

  it('count clicks of all rows and conversions of clicked ones, by the score of their own task', () => {
    const batch = batchOf({ clicked: [1, 0, 1, 1, 0, 0], bought: [1, 1, 0, 1, null, 0] });
    expect(countLabels([batch], LABELS, { pctr, pcvr })).toEqual({
      click: {
        rows: 6,
        positives: 3,
        score: units(...pctr),
        rowCounts: binned(...pctr),
        positiveCounts: binned(0.5, 0.125, 1),
      },
      conversion: {
        rows: 3,
        positives: 2,
        score: units(0.0625, 1, 0.25),
        rowCounts: binned(0.0625, 1, 0.25),
        positiveCounts: binned(0.0625, 0.25),
      },
    });
  });

  it('leave out what is not known: nulls, and what is no label', () => {
    const batch = batchOf({ clicked: [1, null, 2, -1, Number.NaN, 1], bought: [null, 1, 1, 1, 1, 1.5] });
    const { click, conversion } = countLabels([batch], LABELS, { pctr, pcvr })!;
    expect(click).toMatchObject({ rows: 2, positives: 2, score: units(0.5) });
    expect(conversion).toEqual(emptyLabels());
  });

  it('are those that the config gives the values of a column; a value without one is not known', () => {
    const labels = {
      click: { column: 'event', values: { view: 0, click: 1, order: 1 } },
      conversion: { column: 'event', values: { click: 0, order: 1 } },
    } as const;
    const batch = batchOf({ event: ['order', 'view', 'click', null, 'swipe', 'view'] });
    expect(hasLabels(batch.schema, labels)).toBe(true);
    expect(hasLabels(batch.schema, { ...labels, conversion: 'event' })).toBe(false);
    const { click, conversion } = countLabels([batch], labels, { pctr, pcvr })!;
    expect(click).toMatchObject({ rows: 4, positives: 2, score: units(0.5, 0.25, 0.125, 0) });
    expect(conversion).toMatchObject({ rows: 2, positives: 1, score: units(0.0625, 1) });
  });

  it('count soft labels apart, and nothing else of their rows', () => {
    const batch = batchOf({ clicked: [1, 1, 1, 0, 1, 1], bought: [0.5, 0.999, 1, 0.5, 0, null] });
    const { conversion } = countLabels([batch], LABELS, { pctr, pcvr })!;
    expect(conversion).toMatchObject({ rows: 2, positives: 1, soft: 2, score: units(1, 0.125) });
    const click = emptyLabels();
    const of = (labels: typeof conversion) => ({
      rows: 0,
      features: [],
      slices: [],
      labels: { click, conversion: labels },
    });
    expect(addProfiles(of(conversion), of(emptyLabels())).labels!.conversion.soft).toBe(2);
    expect(addProfiles(of(conversion), of(conversion)).labels!.conversion.soft).toBe(4);
  });

  it('are counted in the batches that have both, each with its own scores', () => {
    const none = batchOf({ key: [1, 2] });
    const half = batchOf({ clicked: [1] });
    const text = batchOf({ clicked: ['1'], bought: ['1'] });
    const both = batchOf({ bought: [0, 1], clicked: [1, 1] });
    expect(countLabels([none, half, text, both], LABELS, { pctr, pcvr })).toMatchObject({
      click: { rows: 2, positives: 2, score: units(0.75, 0) },
      conversion: { rows: 2, positives: 1, score: units(0.125, 0.03125), positiveCounts: binned(0.03125) },
    });
    expect(countLabels([none, half, text], LABELS, { pctr, pcvr })).toBeUndefined();
    expect([none, half, text, both].map(({ schema }) => hasLabels(schema, LABELS))).toEqual([
      false,
      false,
      false,
      true,
    ]);
  });

  it('of -0 lie in the bin of 0, its sign apart: an own model may give it', () => {
    const batch = batchOf({ clicked: [1, 0], bought: [1, null] });
    const zeros = { pctr: Float32Array.of(-0, 0), pcvr: Float32Array.of(-0, 0) };
    expect(countLabels([batch], LABELS, zeros)!.click.rowCounts).toEqual(binned(0, 0));
  });

  it('of a score that is none lie in a bin all the same: the part is refused for it, and not its profile', () => {
    const batch = batchOf({ clicked: [1, 0], bought: [1, null] });
    const scores = { pctr: Float32Array.of(Number.NaN, -1), pcvr: Float32Array.of(2, 0) };
    const { click, conversion } = countLabels([batch], LABELS, scores)!;
    expect(click.rowCounts).toHaveLength(65);
    expect(click).toMatchObject({ rows: 2, score: 0, rowCounts: binned(1, 1) });
    expect(conversion).toMatchObject({ rows: 1, score: 0, rowCounts: binned(1) });
  });
});
