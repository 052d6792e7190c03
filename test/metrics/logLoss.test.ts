import { describe, expect, test } from 'vitest';
import { LogLoss } from '../../lib/metrics/logLoss.ts';

function logLossOf(rows: readonly (readonly [probability: number, label: number])[]): LogLoss {
  const logLoss = new LogLoss();
  for (const [probability, label] of rows) logLoss.add(probability, label);
  return logLoss;
}

describe('log loss', () => {
  test('matches values computed by hand', () => {
    expect(logLossOf([[0.5, 1]]).compute()).toBeCloseTo(Math.LN2, 14);
    expect(
      logLossOf([
        [0.8, 1],
        [0.4, 0],
      ]).compute(),
    ).toBeCloseTo(-(Math.log(0.8) + Math.log(0.6)) / 2, 14);
    // Soft label: the mean of the losses of its two outcomes, weighted.
    expect(logLossOf([[0.8, 0.25]]).compute()).toBeCloseTo(
      -(0.25 * Math.log(0.8) + 0.75 * Math.log(0.2)),
      14,
    );
  });

  test('a certain and wrong prediction costs ln 1e7, not infinity', () => {
    expect(logLossOf([[0, 1]]).compute()).toBeCloseTo(Math.log(1e7), 8);
    expect(logLossOf([[1, 0]]).compute()).toBeCloseTo(Math.log(1e7), 8);
    expect(logLossOf([[1, 1]]).compute()).toBeCloseTo(0, 6);
  });

  test('is null without rows, and defined for one class', () => {
    expect(new LogLoss().compute()).toBeNull();
    expect(logLossOf([[0.5, 0]]).compute()).toBeCloseTo(Math.LN2, 14);
  });

  test('merges: sums and rows', () => {
    const rows = [
      [0.1, 0],
      [0.7, 1],
      [0.3, 0.5],
    ] as const;
    const merged = logLossOf(rows.slice(0, 1));
    merged.merge(logLossOf(rows.slice(1)));
    expect(merged.compute()).toBeCloseTo(logLossOf(rows).compute()!, 14);
  });

  test('tells what it expected and found, so that a diverged model is known by it', () => {
    const [score, label] = ['a score can not be measured', 'a label can not be measured'];
    expect(() => logLossOf([[Number.NaN, 1]])).toThrow(
      expect.objectContaining({
        ...{ code: 'METRIC_SCORE_INVALID', message: expect.stringContaining(score) },
        ...{ expected: 'a probability in [0, 1]', found: 'NaN' },
      }),
    );
    expect(() => logLossOf([[1, -1]])).toThrow(
      expect.objectContaining({
        ...{ code: 'METRIC_LABEL_INVALID', message: expect.stringContaining(label) },
        ...{ expected: 'a number in [0, 1]', found: '-1' },
      }),
    );
  });

  test('values outside [0, 1] are errors', () => {
    expect(() => logLossOf([[-0.5, 1]])).toThrow(expect.objectContaining({ code: 'METRIC_SCORE_INVALID' }));
    expect(() => logLossOf([[1.5, 1]])).toThrow(expect.objectContaining({ code: 'METRIC_SCORE_INVALID' }));
    expect(() => logLossOf([[0.5, 2]])).toThrow(expect.objectContaining({ code: 'METRIC_LABEL_INVALID' }));
  });
});
