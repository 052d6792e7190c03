import { describe, expect, it } from 'vitest';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { UNKNOWN_CLICK } from '../../lib/base/tasks.ts';
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

  it.each(['click.auc', 'conversion.auc', 'ctcvr.auc'] as const)(
    'of %s leaves out the rows whose label is unknown, as evaluate does',
    (metric) => {
      const [label] = metric.split('.') as ['click' | 'conversion' | 'ctcvr'];
      const partly = {
        click: click.map((value, row) => (row % 7 === 0 ? UNKNOWN_CLICK : value)),
        conversion: conversion.map((value, row) => (row % 5 === 0 ? Number.NaN : value)),
      };
      const run = good[0]!;
      const metrics = new FunnelMetrics();
      metrics.add({ ...run, ...partly });
      const { whole } = resampleAucs({ runs: [run], labels: partly, metric, seed: 1, resamples: 1 });
      expect(whole[0]).toBeCloseTo(metrics.compute()[label].auc!, 12);
    },
  );

  it('draws users with all of their rows: ten copies of every row, each with its own user, tell no more than one', () => {
    const repeat = <T>(items: ArrayLike<T>) => Array.from(items).flatMap((item) => Array<T>(10).fill(item));
    const repeated = (runs: ReportScores[]) =>
      runs.map(({ pctr, pcvr }) => ({
        pctr: Float32Array.from(repeat(pctr)),
        pcvr: Float32Array.from(repeat(pcvr)),
      }));
    const copies = {
      click: Uint8Array.from(repeat(click)),
      conversion: Float32Array.from(repeat(conversion)),
    };
    const users = repeat(Array.from(click.keys(), (row) => `user ${row}`));
    const intervalOf = (users: readonly (string | null)[] | undefined) => {
      const resample = (runs: ReportScores[]) =>
        resampleAucs({
          runs: repeated(runs),
          labels: { ...copies, users },
          metric: 'click.auc',
          seed: 1,
          resamples: 300,
        });
      return pairedDifference(resample([good[0]!]), resample([bad[0]!]));
    };
    // One run: the noise of seeds is not at issue.
    const { low, high } = difference([good[0]!], [bad[0]!], 'click.auc');
    const ofUsers = intervalOf(users);
    expect(ofUsers.low).toBeCloseTo(low, 12);
    expect(ofUsers.high).toBeCloseTo(high, 12);
    const ofRows = intervalOf(undefined);
    expect(ofRows.high - ofRows.low).toBeLessThan(0.5 * (high - low));
    // Rows of nobody known have nothing in common.
    expect(intervalOf(users.map(() => null))).toEqual(ofRows);
  });

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

  it('spreads over seeds as the mean of as many new ones would', () => {
    // Scores that rank rows by their label but for some of them, as many as the run says: rows hardly matter.
    const runs = [0, 40, 80, 120, 160].map((wrong) => ({
      pctr: Float32Array.from(click, (label, row) => (row < wrong ? 1 - label : label)),
      pcvr: new Float32Array(ROWS),
    }));
    const { whole, resamples } = resampleAucs({
      runs,
      labels,
      metric: 'click.auc',
      seed: 1,
      resamples: 4000,
    });
    const variance = (values: readonly number[], below: number) => {
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - below);
    };
    const means = resamples.map(
      ({ drawnRuns }) => drawnRuns.reduce((sum, run) => sum + whole[run]!, 0) / drawnRuns.length,
    );
    const ofNew =
      variance(
        whole.map((auc) => auc!),
        1,
      ) / runs.length;
    expect(variance(means, 0) / ofNew).toBeGreaterThan(0.93);
    expect(variance(means, 0) / ofNew).toBeLessThan(1.07);
  });

  it('draws the one run there is', () => {
    const { resamples } = resampleAucs({
      runs: [good[0]!],
      labels,
      metric: 'click.auc',
      seed: 1,
      resamples: 2,
    });
    expect(resamples.map(({ drawnRuns }) => drawnRuns)).toEqual([[0], [0]]);
  });

  it('has the same interval for the same seed and another for another', () => {
    const first = difference(good, bad, 'click.auc', 3);
    expect(difference(good, bad, 'click.auc', 3)).toEqual(first);
    expect(difference(good, bad, 'click.auc', 4).low).not.toBe(first.low);
  });

  const known = (differences: readonly (number | null)[]) => {
    const resamples = (aucs: readonly (number | null)[]) =>
      aucs.map((auc) => ({ aucs: [auc], drawnRuns: [0] }));
    const reference = { whole: [0.75], resamples: resamples(differences) };
    return pairedDifference(reference, { whole: [0.5], resamples: resamples(differences.map(() => 0)) });
  };

  it('has a 95% interval: the 2.5th and the 97.5th percentile of the resamples, in whatever order they come', () => {
    const order = Int32Array.from({ length: 1001 }, (_, i) => i);
    random.shuffle(order);
    expect(known(Array.from(order, (i) => i / 1000))).toEqual({
      mean: 0.25,
      low: expect.closeTo(0.025, 12),
      high: expect.closeTo(0.975, 12),
      values: [0.25],
    });
    // Of two resamples, 2.5% of the way from one to the other.
    expect(known([8, 4])).toMatchObject({ low: expect.closeTo(4.1, 12), high: expect.closeTo(7.9, 12) });
    expect(known([-3])).toMatchObject({ low: -3, high: -3 });
  });

  it('leaves out resamples in which a run that was drawn has one class only, of either arm', () => {
    expect(known([1, null, 2, null])).toMatchObject({
      low: expect.closeTo(1.025, 12),
      high: expect.closeTo(1.975, 12),
    });
    const whole = [0.5, 0.5];
    const other = { whole, resamples: [{ aucs: [0.25, null], drawnRuns: [0, 1] }] };
    const drawn = (drawnRuns: number[]) =>
      pairedDifference({ whole, resamples: [{ aucs: [0.5, 0.5], drawnRuns }] }, other);
    expect(drawn([0, 0])).toMatchObject({ low: 0.25, high: 0.25 });
    expect(drawn([0, 1])).toMatchObject({ low: Number.NaN, high: Number.NaN });
  });

  it('averages the runs that a resample drew, as often as it drew them', () => {
    const reference = { whole: [1, 1], resamples: [{ aucs: [0.75, 0.25], drawnRuns: [1, 1] }] };
    const other = { whole: [0, 0], resamples: [{ aucs: [0.5, 0.125], drawnRuns: [1, 1] }] };
    expect(pairedDifference(reference, other)).toMatchObject({ mean: 1, low: 0.125, high: 0.125 });
    const both = { ...reference, resamples: [{ aucs: [0.75, 0.25], drawnRuns: [0, 1] }] };
    expect(pairedDifference(both, other).low).toBe(0.1875);
  });

  it('is unknown where an arm has one class only', () => {
    const arm = { whole: [null], resamples: [] };
    expect(pairedDifference(arm, { whole: [0.5], resamples: [] }).values).toEqual([Number.NaN]);
    expect(pairedDifference({ whole: [0.5], resamples: [] }, arm)).toMatchObject({
      low: Number.NaN,
      values: [Number.NaN],
    });
  });
});

describe('resampled AUCs', () => {
  const resample = (runs: ReportScores[], over: object = {}) =>
    resampleAucs({ runs, labels, metric: 'click.auc', seed: 5, ...over });

  it('are of a thousand resamples, each with as many rows as there are and one run less, drawn with replacement', () => {
    const { whole, resamples } = resample(good);
    expect(resamples).toHaveLength(1000);
    const drawn = resamples.flatMap(({ aucs, drawnRuns }) => {
      expect([aucs.length, drawnRuns.length]).toEqual([3, 2]);
      return drawnRuns;
    });
    for (const run of [0, 1, 2]) {
      // 667 of 2000 draws expected, standard deviation 21.
      expect(Math.abs(drawn.filter((index) => index === run).length - 667)).toBeLessThan(105);
    }
    expect(resamples.some(({ drawnRuns }) => drawnRuns[0] === drawnRuns[1])).toBe(true);
    const mean = resamples.reduce((sum, { aucs }) => sum + aucs[0]!, 0) / 1000;
    // The standard error of one AUC is 0.02 at most here, that of the mean of a thousand 0.0008.
    expect(Math.abs(mean - whole[0]!)).toBeLessThan(0.004);
  });

  it('are the AUCs of the rows drawn, as often as they were drawn', () => {
    const { resamples } = resample(good, { resamples: 3, seed: 11 });
    const draws = new RandomStream(11);
    for (const { aucs, drawnRuns } of resamples) {
      const rows = Array.from({ length: ROWS }, () => draws.nextBelow(ROWS));
      aucs.forEach((auc, run) => {
        const metrics = new FunnelMetrics();
        const of = (values: ArrayLike<number>) => Float32Array.from(rows, (row) => values[row]!);
        const { pctr, pcvr } = good[run]!;
        metrics.add({ click: of(click), conversion: of(conversion), pctr: of(pctr), pcvr: of(pcvr) });
        expect(auc).toBeCloseTo(metrics.compute().click.auc!, 12);
      });
      expect(drawnRuns).toEqual([draws.nextBelow(good.length), draws.nextBelow(good.length)]);
    }
  });

  it('draw the same rows for every run and every arm of one seed', () => {
    const first = resample([good[0]!, good[0]!], { resamples: 20 });
    for (const { aucs } of first.resamples) expect(aucs[0]).toBe(aucs[1]);
    const second = resample([bad[0]!, good[0]!], { resamples: 20 });
    expect(second.resamples.map(({ aucs }) => aucs[1])).toEqual(first.resamples.map(({ aucs }) => aucs[1]));
    expect(second.resamples.map(({ drawnRuns }) => drawnRuns)).toEqual(
      first.resamples.map(({ drawnRuns }) => drawnRuns),
    );
  });

  it('are null with one class only', () => {
    const oneClass = { click: new Uint8Array(ROWS), conversion };
    expect(resample(good, { labels: oneClass, resamples: 1 })).toMatchObject({
      whole: [null, null, null],
      resamples: [{ aucs: [null, null, null] }],
    });
  });
});
