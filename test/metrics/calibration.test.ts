import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Calibration } from '../../lib/metrics/calibration.ts';
import { splitRows } from './arbitraries.ts';

function calibrationOf(rows: readonly (readonly [probability: number, label: number])[]): Calibration {
  const calibration = new Calibration();
  for (const [probability, label] of rows) calibration.add(probability, label);
  return calibration;
}

describe('calibration', () => {
  test('matches a ratio and an ECE computed by hand', () => {
    // Bins of 1/15: .10 and .12 share [.0667, .1333), .50 is in [.4667, .5333), .90 in [.8667, .9333).
    const report = calibrationOf([
      [0.1, 0],
      [0.12, 1],
      [0.5, 1],
      [0.9, 0.5],
    ]).compute();
    expect(report.ratio).toBeCloseTo(1.62 / 2.5, 14);
    const gaps = [2 * Math.abs(0.11 - 0.5), Math.abs(0.5 - 1), Math.abs(0.9 - 0.5)];
    expect(report.ece).toBeCloseTo((gaps[0]! + gaps[1]! + gaps[2]!) / 4, 14);
  });

  test('errors of opposite sign cancel within a bin but not between bins', () => {
    expect(
      calibrationOf([
        [0.5, 0],
        [0.5, 1],
      ]).compute(),
    ).toEqual({ ratio: 1, ece: 0 });
    expect(
      calibrationOf([
        [0.25, 0],
        [0.75, 1],
      ]).compute(),
    ).toEqual({ ratio: 1, ece: 0.25 });
  });

  test('probabilities 0 and 1 have a bin', () => {
    expect(
      calibrationOf([
        [0, 0],
        [1, 1],
      ]).compute(),
    ).toEqual({ ratio: 1, ece: 0 });
  });

  test('the ratio is null without positives, both are null without rows', () => {
    expect(new Calibration().compute()).toEqual({ ratio: null, ece: null });
    expect(calibrationOf([[0.25, 0]]).compute()).toEqual({ ratio: null, ece: 0.25 });
  });

  test('merging any split equals the whole within rounding', () => {
    fc.assert(
      fc.property(splitRows, ({ all, parts }) => {
        const pairs = (rows: typeof all) => rows.map(({ score, label }) => [score, label] as const);
        const merged = new Calibration();
        for (const part of parts) {
          merged.merge(calibrationOf(pairs(part)));
        }
        const [found, whole] = [merged.compute(), calibrationOf(pairs(all)).compute()];
        for (const key of ['ratio', 'ece'] as const) {
          if (whole[key] === null) expect(found[key]).toBeNull();
          else expect(found[key]).toBeCloseTo(whole[key], 12);
        }
      }),
    );
  });

  test('a bin ends where the next begins, at multiples of 1/15', () => {
    const ece = (first: number, second: number) =>
      calibrationOf([
        [first, 0],
        [second, 1],
      ]).compute().ece!;
    // In one bin the gaps of .2 and .8 cancel to .6, in two they add up.
    expect(ece(0.2001, 0.2665)).toBeCloseTo((1 - 0.4666) / 2, 12);
    expect(ece(0.1999, 0.2001)).toBeCloseTo((0.1999 + 0.7999) / 2, 12);
    expect(ece(0.9332, 0.9334)).toBeCloseTo((0.9332 + 0.0666) / 2, 12);
    expect(ece(0.9334, 1)).toBeCloseTo(0.9334 / 2, 12);
  });

  test('values outside [0, 1] are errors', () => {
    for (const probability of [-0.01, 1.01, Number.NaN]) {
      expect(() => calibrationOf([[probability, 1]])).toThrow(
        expect.objectContaining({ code: 'METRIC_SCORE_INVALID' }),
      );
    }
    expect(() => calibrationOf([[0.5, 2]])).toThrow(
      expect.objectContaining({ code: 'METRIC_LABEL_INVALID' }),
    );
  });
});
