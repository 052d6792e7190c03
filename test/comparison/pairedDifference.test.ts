import { describe, expect, it } from 'vitest';
import { RandomStream } from '../../lib/base/randomStream.ts';
import type { PairedMetricName } from '../../lib/comparison/comparisonDocument.ts';
import { pairedDifference, resampleAucs } from '../../lib/comparison/pairedDifference.ts';
import type { ReportScores } from '../../lib/comparison/runFolder.ts';
import { FunnelMetrics } from '../../lib/metrics/funnelMetrics.ts';

const ROWS = 600;
const random = new RandomStream(7);
const click = Uint8Array.from({ length: ROWS }, () => (random.nextUniform() < 0.4 ? 1 : 0));
const conversion = Float32Array.from({ length: ROWS }, () => (random.nextUniform() < 0.3 ? 1 : 0));
const labels = { click, conversion };

/** Scores that know the labels a little; rounded, so that there are ties. */
function scores(skill: number): ReportScores {
  const score = (label: number) =>
    Math.round(20 * (0.5 + skill * (label - 0.5) + 0.2 * random.nextUniform())) / 40;
  return {
    pctr: Float32Array.from(click, (label) => score(label)),
    pcvr: Float32Array.from(conversion, (label) => score(label)),
  };
}

const good = [scores(0.2), scores(0.2), scores(0.2)];
const bad = [scores(0.02), scores(0.02), scores(0.02)];
function difference(reference: ReportScores[], other: ReportScores[], metric: PairedMetricName, seed = 1) {
  const resample = (runs: ReportScores[]) => resampleAucs({ runs, labels, metric, seed, resamples: 300 });
  return pairedDifference(resample(reference), resample(other));
}

describe('a paired difference', () => {
  it.each(['click.auc', 'conversion.auc', 'ctcvr.auc'] as const)(
    'of %s is, for each seed, the difference of the AUCs that evaluate computes',
    (metric) => {
      const [label] = metric.split('.') as ['click' | 'conversion' | 'ctcvr'];
      const auc = (run: ReportScores) => {
        const metrics = new FunnelMetrics();
        metrics.add({ ...run, click, conversion });
        return metrics.compute()[label].auc!;
      };
      const { values, mean } = difference(good, bad, metric);
      good.forEach((run, i) => {
        expect(values[i]).toBeCloseTo(auc(run) - auc(bad[i]!), 12);
      });
      expect(mean).toBeCloseTo(values.reduce((sum, value) => sum + value, 0) / 3, 12);
    },
  );

  it('of an arm from itself is 0 with an interval of no width', () => {
    expect(difference(good, good, 'click.auc')).toMatchObject({ mean: 0, low: 0, high: 0 });
  });

  it('of a better arm has an interval above 0, and the other way round one below', () => {
    expect(difference(good, bad, 'conversion.auc').low).toBeGreaterThan(0);
    expect(difference(bad, good, 'conversion.auc').high).toBeLessThan(0);
  });

  it('of arms that differ by nothing but noise has an interval around 0', () => {
    const { low, high } = difference([scores(0.1), scores(0.1)], [scores(0.1), scores(0.1)], 'click.auc');
    expect(low).toBeLessThan(0);
    expect(high).toBeGreaterThan(0);
  });

  it('has an interval as wide as the standard error of an AUC demands', () => {
    // Hanley and McNeil: for AUC 1/2 and independent scores, variance (n + 1) / (12 n_1 n_0) for each arm.
    const clicks = click.reduce((sum, label) => sum + label, 0);
    const error = Math.sqrt((2 * (ROWS + 1)) / (12 * clicks * (ROWS - clicks)));
    const noise = () => ({
      pctr: Float32Array.from({ length: ROWS }, () => random.nextUniform()),
      pcvr: new Float32Array(ROWS),
    });
    const { low, high } = difference([noise()], [noise()], 'click.auc');
    expect((high - low) / (2 * 1.96 * error)).toBeGreaterThan(0.8);
    expect((high - low) / (2 * 1.96 * error)).toBeLessThan(1.25);
  });

  it('has the same interval for the same seed and another for another', () => {
    const first = difference(good, bad, 'click.auc', 3);
    expect(difference(good, bad, 'click.auc', 3)).toEqual(first);
    expect(difference(good, bad, 'click.auc', 4).low).not.toBe(first.low);
  });
});
