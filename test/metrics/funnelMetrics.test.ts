import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UNKNOWN_CLICK } from '../../lib/base/tasks.ts';
import { type FunnelBatch, FunnelMetrics, type FunnelReport } from '../../lib/metrics/funnelMetrics.ts';
import { LogLoss } from '../../lib/metrics/logLoss.ts';
import { RankedRows } from '../../lib/metrics/rankedRows.ts';
import { probability, softLabel, user } from './arbitraries.ts';

interface Impression {
  readonly click: number;
  readonly conversion: number | null;
  readonly pctr: number;
  readonly pcvr: number;
  readonly user: string | number | null;
}

function batchOf(impressions: readonly Impression[]): FunnelBatch {
  return {
    click: Uint8Array.from(impressions, (row) => row.click),
    conversion: Float32Array.from(impressions, (row) => row.conversion ?? Number.NaN),
    pctr: Float32Array.from(impressions, (row) => row.pctr),
    pcvr: Float32Array.from(impressions, (row) => row.pcvr),
    users: impressions.map((row) => row.user),
  };
}

function reportOf(...batches: readonly FunnelBatch[]): FunnelReport {
  const metrics = new FunnelMetrics();
  for (const batch of batches) metrics.add(batch);
  return metrics.compute();
}

const impressions: readonly Impression[] = [
  { click: 1, conversion: 1, pctr: 0.5, pcvr: 0.5, user: 'u' },
  { click: 1, conversion: 0, pctr: 0.25, pcvr: 0.25, user: 'u' },
  { click: 0, conversion: null, pctr: 0.25, pcvr: 0.75, user: 'u' },
  { click: 0, conversion: 1, pctr: 0.125, pcvr: 1, user: null },
  { click: 1, conversion: null, pctr: 0.75, pcvr: 0.125, user: 'v' },
];

describe('funnel metrics', () => {
  test('clicks are measured on all rows, conversions on clicked rows with a label, CTCVR on the product', () => {
    const report = reportOf(batchOf(impressions));
    expect(report.rows).toBe(5);
    // Click: positives .5 .25 .75, negatives .25 .125.
    expect(report.click).toMatchObject({ rows: 5, auc: (1 + 0.75 + 1) / 3, calibration: 1.875 / 3 });
    // Conversion: the first two rows.
    expect(report.conversion).toMatchObject({ rows: 2, auc: 1, gauc: 1, calibration: 0.75 });
    expect(report.conversion.logLoss).toBeCloseTo(-(Math.log(0.5) + Math.log(0.75)) / 2, 7);
    // CTCVR: rows 1 to 4 (the click with an unknown conversion can't be labelled); only the first is positive.
    expect(report.ctcvr).toMatchObject({ rows: 4, auc: 1, calibration: 0.25 + 0.0625 + 0.1875 + 0.125 });
  });

  test('a row with an unknown click counts nowhere but among the rows', () => {
    const batch = batchOf([...impressions, { click: 0, conversion: 1, pctr: 0.9, pcvr: 0.9, user: 'u' }]);
    const click = Uint8Array.from(batch.click);
    click[5] = UNKNOWN_CLICK;
    expect(reportOf({ ...batch, click })).toEqual({ ...reportOf(batchOf(impressions)), rows: 6 });
  });

  test('a conversion noted on a row without a click is ignored', () => {
    const noted = impressions.map((row) => (row.click === 0 ? { ...row, conversion: 1 } : row));
    expect(reportOf(batchOf(noted))).toEqual(reportOf(batchOf(impressions)));
  });

  test('GAUC leaves out rows without a user, and is null when there are no users', () => {
    // u: positives .5 .25, negative .25 -> 3/4. v has one class; the last row has no user.
    expect(reportOf(batchOf(impressions)).click.gauc).toBe(0.75);
    const { users: _, ...withoutUsers } = batchOf(impressions);
    const report = reportOf(withoutUsers);
    expect([report.click.gauc, report.conversion.gauc, report.ctcvr.gauc]).toEqual([null, null, null]);
    expect(report.click.auc).toBe(reportOf(batchOf(impressions)).click.auc);
  });

  test('no rows and no clicks give nulls and zeros, never NaN', () => {
    const empty = { rows: 0, auc: null, gauc: null, logLoss: null, calibration: null, ece: null };
    expect(new FunnelMetrics().compute()).toEqual({ rows: 0, click: empty, conversion: empty, ctcvr: empty });
    const report = reportOf(batchOf(impressions.filter((row) => row.click === 0)));
    expect(report.conversion).toEqual(empty);
    expect(report.click).toMatchObject({ rows: 2, auc: null, calibration: null });
    expect(JSON.stringify(report)).not.toContain('NaN');
  });

  test('a pctcvr that is given is measured as it is', () => {
    const pctcvr = Float32Array.of(0.1, 0.2, 0.3, 0.4, 0.5);
    const ctcvr = reportOf({ ...batchOf(impressions), pctcvr }).ctcvr;
    expect(ctcvr.auc).toBe(0);
    expect(ctcvr.calibration).toBeCloseTo(1, 7);
  });

  test('soft conversions weigh in the conversion and CTCVR metrics', () => {
    const rows = [
      { click: 1, conversion: 0.75, pctr: 0.5, pcvr: 0.5, user: null },
      { click: 1, conversion: 0.25, pctr: 0.5, pcvr: 0.25, user: null },
    ];
    const kept = new RankedRows();
    const logLoss = new LogLoss();
    for (const { pcvr, conversion } of rows) {
      kept.add(pcvr, conversion, null);
      logLoss.add(pcvr, conversion);
    }
    expect(reportOf(batchOf(rows)).conversion).toMatchObject({
      auc: kept.compute().auc,
      logLoss: logLoss.compute(),
      calibration: 0.75,
    });
  });

  const someImpressions = fc.array(
    fc.record({
      click: fc.constantFrom(0, 1),
      conversion: fc.oneof(softLabel, fc.constant(null)),
      pctr: probability,
      pcvr: probability,
      user: fc.oneof(user, fc.constant(null)),
    }),
    { maxLength: 40 },
  );
  const stateOf = (rows: readonly Impression[], exactRows?: number) => {
    const metrics = new FunnelMetrics(exactRows);
    metrics.add(batchOf(rows));
    return metrics;
  };
  /** Cut into parts of at most `size` rows. */
  const partsOf = (rows: readonly Impression[], size: number) =>
    Array.from({ length: Math.ceil(rows.length / size) }, (_, i) => rows.slice(i * size, (i + 1) * size));
  const mergedParts = (rows: readonly Impression[], size: number, exactRows: number) => {
    const merged = new FunnelMetrics(exactRows);
    for (const part of partsOf(rows, size)) merged.merge(stateOf(part, exactRows));
    return merged.compute();
  };

  test('states of any split, merged in order, have the bits of one pass, on either side of the limit', () => {
    fc.assert(
      fc.property(
        someImpressions,
        fc.integer({ min: 1, max: 10 }),
        fc.constantFrom(10, 20, 1000),
        (rows, size, exactRows) => {
          expect(mergedParts(rows, size, exactRows)).toEqual(stateOf(rows, exactRows).compute());
        },
      ),
      { numRuns: 200 },
    );
  });

  test('states that no longer keep their rows merge to one pass within rounding', () => {
    fc.assert(
      fc.property(someImpressions, fc.integer({ min: 1, max: 40 }), fc.nat(6), (rows, size, exactRows) => {
        const found = mergedParts(rows, size, exactRows);
        const whole = stateOf(rows, exactRows).compute();
        expect(found.rows).toBe(whole.rows);
        for (const key of ['click', 'conversion', 'ctcvr'] as const) {
          const { logLoss, calibration, ece, ...others } = whole[key];
          expect(found[key]).toMatchObject(others);
          for (const [name, value] of Object.entries({ logLoss, calibration, ece })) {
            const other = found[key][name as 'logLoss'];
            if (value === null) expect(other).toBeNull();
            else expect(other).toBeCloseTo(value, 12);
          }
        }
      }),
      { numRuns: 100 },
    );
  });

  test('past the limit the AUC is binned with a bound that holds, and nothing else changes but GAUC', () => {
    fc.assert(
      fc.property(someImpressions, fc.nat(45), (rows, exactRows) => {
        const exact = stateOf(rows).compute();
        const found = stateOf(rows, exactRows).compute();
        for (const key of ['click', 'conversion', 'ctcvr'] as const) {
          const { auc, gauc, ...sums } = exact[key];
          if (sums.rows <= exactRows) {
            expect(found[key]).toEqual(exact[key]);
            continue;
          }
          expect(found[key]).toMatchObject({ ...sums, gauc: null });
          if (auc === null) expect([found[key].auc, found[key].aucError]).toEqual([null, null]);
          else expect(Math.abs(found[key].auc! - auc)).toBeLessThanOrEqual(found[key].aucError! + 1e-12);
        }
      }),
    );
  });

  test('the limit is that of one label: conversions of few clicks stay exact beside many impressions', () => {
    // Five rows, of which three are clicked and two have a known conversion.
    expect(stateOf(impressions, 5).compute()).toEqual(stateOf(impressions).compute());
    const { click, conversion, ctcvr } = stateOf(impressions, 4).compute();
    const exact = stateOf(impressions).compute();
    expect(click).toEqual({
      ...exact.click,
      // .25 and .25 share a bin, one pair of the six.
      auc: (1 + 0.75 + 1) / 3,
      aucError: 1 / 12,
      gauc: null,
      gaucRefusal: 'the rows of each user are kept up to 4 rows only',
    });
    expect([conversion, ctcvr]).toEqual([exact.conversion, exact.ctcvr]);
  });

  test('past the limit GAUC is refused only where rows have users, merged ones too', () => {
    const without = impressions.map((row) => ({ ...row, user: null }));
    expect(stateOf(without, 0).compute().click).not.toHaveProperty('gaucRefusal');
    for (const exactRows of [0, 5]) {
      const merged = new FunnelMetrics(5);
      merged.merge(stateOf(without, exactRows));
      merged.merge(stateOf(impressions, exactRows));
      expect(merged.compute().click.gaucRefusal).toContain('up to 5 rows');
    }
  });

  test('a click that is not 0 or 1, a NaN score, and arrays of different lengths are errors', () => {
    const batch = batchOf(impressions);
    const invalid = (change: Partial<FunnelBatch>) => () => new FunnelMetrics().add({ ...batch, ...change });
    expect(invalid({ click: [0.5, 0, 0, 0, 0] })).toThrow(
      expect.objectContaining({
        ...{ code: 'METRIC_LABEL_INVALID', expected: '0 or 1', found: '0.5' },
        message: expect.stringContaining('a click can not be measured'),
      }),
    );
    expect(invalid({ conversion: [2, 0, 0, 0, 0] })).toThrow(
      expect.objectContaining({ code: 'METRIC_LABEL_INVALID' }),
    );
    const pctr = new Float32Array(5).fill(Number.NaN);
    expect(invalid({ pctr })).toThrow(expect.objectContaining({ code: 'METRIC_SCORE_INVALID' }));
    expect(invalid({ pcvr: new Float32Array(4) })).toThrow(
      expect.objectContaining({
        ...{ code: 'METRIC_LENGTH_MISMATCH', expected: '5 rows', found: '4 rows' },
        message: expect.stringContaining("'pcvr' has another length than 'click'"),
      }),
    );
    for (const name of ['conversion', 'pctr', 'pctcvr', 'users']) {
      expect(invalid({ [name]: new Float32Array(6) })).toThrow(
        expect.objectContaining({ code: 'METRIC_LENGTH_MISMATCH', found: '6 rows' }),
      );
    }
  });
});
