import { describe, expect, test } from 'vitest';
import { type Impression, SyntheticFunnel } from '../../examples/demo/syntheticFunnel.ts';
import { FunnelMetrics, type FunnelReport } from '../../lib/metrics/funnelMetrics.ts';

const ROWS = 40_000;
const impressions = [...new SyntheticFunnel(1).impressions(ROWS)];

/** Metrics of the probabilities that drew the labels: the best that any model can reach. */
function bestPossible(rows: readonly Impression[]): FunnelReport {
  const metrics = new FunnelMetrics();
  metrics.add({
    click: rows.map((row) => row.click),
    conversion: rows.map((row) => row.conversion),
    pctr: Float32Array.from(rows, (row) => row.truePctr),
    pcvr: Float32Array.from(rows, (row) => row.truePcvr),
  });
  return metrics.compute();
}

describe('synthetic funnel', () => {
  test('the same seed gives the same impressions, in one draw or several; another seed gives others', () => {
    const again = new SyntheticFunnel(1);
    expect([...again.impressions(100), ...again.impressions(200)]).toEqual(impressions.slice(0, 300));
    expect([...new SyntheticFunnel(2).impressions(300)]).not.toEqual(impressions.slice(0, 300));
  });

  test('impression ids are unique', () => {
    expect(new Set(impressions.map((row) => row.impressionId)).size).toBe(ROWS);
  });

  test('labels follow the true probabilities, and conversions need a click', () => {
    expect(impressions.filter((row) => row.conversion === 1 && row.click === 0)).toEqual([]);
    // Standard errors of the ratios here: about 1% for some 6,000 clicks, 2% for some 2,000 conversions. Five of them.
    const { click, conversion, ctcvr } = bestPossible(impressions);
    expect(Math.abs(click.calibration! - 1)).toBeLessThan(0.06);
    expect(Math.abs(conversion.calibration! - 1)).toBeLessThan(0.1);
    expect(Math.abs(ctcvr.calibration! - 1)).toBeLessThan(0.12);
  });

  test.each([1, 2, 3])(
    'seed %i is no toy: clicks and conversions are rarer than not, and can be told apart',
    (seed) => {
      const rows = [...new SyntheticFunnel(seed).impressions(ROWS)];
      const { click, conversion } = bestPossible(rows);
      const clickRate = rows.filter((row) => row.click === 1).length / ROWS;
      expect(clickRate).toBeGreaterThan(0.1);
      expect(clickRate).toBeLessThan(0.25);
      for (const { auc } of [click, conversion]) {
        expect(auc).toBeGreaterThan(0.75);
        expect(auc).toBeLessThan(0.9);
      }
    },
  );

  test('values are missing and lists are empty, as in real logs', () => {
    const share = (isSo: (row: Impression) => boolean) => impressions.filter(isSo).length / ROWS;
    expect(share((row) => row.age === undefined)).toBeGreaterThan(0.02);
    expect(share((row) => row.price === undefined)).toBeGreaterThan(0.01);
    expect(share((row) => row.recentItemIds.length === 0)).toBeGreaterThan(0.01);
  });

  test('the recent items are those the user clicked before, newest first', () => {
    const clicked = new Map<number, number[]>();
    for (const row of impressions) {
      const before = clicked.get(row.userId) ?? [];
      expect(row.recentItemIds).toEqual(before);
      if (row.click === 1) clicked.set(row.userId, [row.itemId, ...before].slice(0, 8));
    }
  });
});
