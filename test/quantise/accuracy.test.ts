import { describe, expect, it } from 'vitest';
import { RandomStream } from '../../lib/base/randomStream.ts';
import type { TaskScores } from '../../lib/profile/scoreReferences.ts';
import { compareAccuracy, refuseInaccurate } from '../../lib/quantise/accuracy.ts';

const ROWS = 20_000;
const random = new RandomStream(11);
const drawn = () => Float32Array.from({ length: ROWS }, () => 0.1 + 0.5 * random.nextUniform());
const before: TaskScores = { pctr: drawn(), pcvr: drawn() };
const labels = {
  click: Uint8Array.from(before.pctr, (p) => (random.nextUniform() < p ? 1 : 0)),
  conversion: before.pcvr.map((p) => (random.nextUniform() < p ? 1 : 0)),
};
const judge = (after: TaskScores) => refuseInaccurate(compareAccuracy(labels, before, after), 'bundles/1');
const changed = (change: (score: number, row: number) => number) => before.pcvr.map(change);

describe('refuseInaccurate', () => {
  it('lets scores pass that moved a little, and says how far', () => {
    const pcvr = changed((score, row) => score + (row % 2 === 0 ? 0.001 : -0.001));
    const accuracy = compareAccuracy(labels, before, { ...before, pcvr });
    expect(() => refuseInaccurate(accuracy, 'bundles/1')).not.toThrow();
    expect(accuracy.conversion.largestChange).toBeCloseTo(0.001, 6);
    expect(accuracy.click).toMatchObject({ largestChange: 0 });
    expect(accuracy.click.auc.before).toBeGreaterThan(0.6);
  });

  it('refuses scores whose order is worse by more than .0005 of AUC, with the numbers', () => {
    const pcvr = changed((score, row) => score + (row % 2 === 0 ? 0.05 : -0.05));
    expect(() => judge({ ...before, pcvr })).toThrow(
      /EXPORT_ACCURACY: bundles\/1.*\n {2}- conversion: AUC 0\.\d{5} becomes 0\.\d{5}, may differ by 0\.0005$/,
    );
  });

  it('refuses scores whose order is better by as much: what moves them so far is no rounding', () => {
    const worse = { ...before, pcvr: changed((score, row) => score + (row % 2 === 0 ? 0.05 : -0.05)) };
    expect(() => refuseInaccurate(compareAccuracy(labels, worse, before), 'bundles/1')).toThrow(
      /conversion: AUC 0\.\d{5} becomes 0\.\d{5}, may differ by 0\.0005$/,
    );
  });

  it('refuses scores in the right order whose mean moved by more than .5%', () => {
    expect(() => judge({ ...before, pctr: before.pctr.map((score) => score * 1.004) })).not.toThrow();
    expect(() => judge({ ...before, pctr: before.pctr.map((score) => score * 1.006) })).toThrow(
      /click: mean score 0\.3\d+ becomes 0\.3\d+, 0\.60%, may differ by 0\.5%$/,
    );
    expect(() => judge({ ...before, pctr: before.pctr.map((score) => score * 0.994) })).toThrow(/-0\.60%/);
  });

  it('judges a task whose labels are all the same by its mean alone', () => {
    const none = { ...labels, conversion: labels.conversion.map(() => 0) };
    const pcvr = changed((score, row) => score + (row % 2 === 0 ? 0.05 : -0.05));
    const accuracy = compareAccuracy(none, before, { ...before, pcvr });
    expect(accuracy.conversion.auc).toEqual({ before: null, after: null });
    expect(() => refuseInaccurate(accuracy, 'bundles/1')).not.toThrow();
  });
});
