import { expect, test } from 'vitest';
import { evaluationTable } from '../../lib/cli/inspectCommands.ts';
import type { BinaryReport } from '../../lib/metrics/funnelMetrics.ts';

const exact: BinaryReport = { rows: 9, auc: 0.7, gauc: 0.6, logLoss: 0.3, calibration: 1.01, ece: 0.02 };
const binned = (aucError: number | null): BinaryReport => ({
  ...exact,
  auc: aucError === null ? null : 0.7,
  aucError,
  gauc: null,
  gaucRefusal: 'too many rows',
});
const below = (click: BinaryReport) =>
  evaluationTable({ rows: 9, click, conversion: exact, ctcvr: exact }).split('\n').slice(4);

test('a table of exact metrics is four lines, with a dash for what is undefined', () => {
  expect(below(exact)).toEqual(['']);
  const table = evaluationTable({
    rows: 9,
    click: { ...exact, gauc: null },
    conversion: exact,
    ctcvr: exact,
  });
  expect(table.split('\n')[1]).toMatch(/^click +9 +0\.7000 +- +0\.3000 +1\.0100 +0\.0200$/);
});

test('says below the table which AUC is binned, within what, and why there is no GAUC', () => {
  expect(below(binned(0.0001))).toEqual([
    'click: auc binned, within ±0.00010 of the exact one',
    'click: no gauc, too many rows',
    '',
  ]);
  // A bound must not be rounded down.
  expect(below(binned(0.00012001))[0]).toContain('±0.00013');
  expect(below(binned(0.5))[0]).toContain('±0.50 ');
  expect(below(binned(0))[0]).toContain('±0.0 ');
  expect(below(binned(null))).toEqual(['click: no gauc, too many rows', '']);
  expect(evaluationTable({ rows: 9, click: exact, conversion: binned(0.1), ctcvr: exact })).toContain(
    'conversion (clicked): auc binned, within ±0.10 ',
  );
});
