import { describe, expect, it } from 'vitest';
import type { FeatureBins } from '../../lib/profile/featureBins.ts';
import { featureReferences } from '../../lib/profile/featureReferences.ts';
import type { PartProfile } from '../../lib/profile/partProfile.ts';

/** One feature `f` of rows that are in these bins, with missing ones besides. */
function counted(bins: readonly number[], missing = 0, unseen = 0): PartProfile {
  const rows = bins.reduce((sum, count) => sum + count, missing + unseen);
  return { rows, features: [{ name: 'f', values: rows, missing, unseen, bins }], slices: [] };
}

const binsFor = (counts: readonly number[]): FeatureBins[] => [
  { kind: 'ids', ends: counts.slice(1).map((_, index) => index + 1) },
];

function spreadOf(...days: readonly PartProfile[]) {
  return featureReferences(binsFor(days[0]!.features[0]!.bins), days[0]!, days)[0]!.spread;
}

describe('the reference of a feature', () => {
  it('has the validation rows by bin, and the day that differs most, computed by hand', () => {
    const validation = counted([300, 100], 40, 10);
    const days = [counted([500, 500], 0, 0), counted([200, 700], 90, 10), validation];
    const [reference] = featureReferences(binsFor([0, 0]), validation, days);
    expect(reference).toMatchObject({
      name: 'f',
      bins: { kind: 'ids', ends: [1] },
      values: 450,
      missing: 40,
      unseen: 10,
      counts: [300, 100],
    });
    // All days: 2,450 rows, of which 130 missing and 20 unseen; by bin 1,000 and 1,300.
    expect(reference!.spread.missing).toBeCloseTo(130 / 2450 - 0, 12);
    expect(reference!.spread.unseen).toBeCloseTo(10 / 450 - 20 / 2450, 12);
    // A row more on both sides, in the shares of the two together: 1,300 of 2,700.
    const [p, q] = [(300 + 1300 / 2700) / 401, (1000 + 1300 / 2700) / 2301];
    const byHand = (p - q) * Math.log(p / q) + (q - p) * Math.log((1 - p) / (1 - q));
    expect(reference!.spread.psi).toBeCloseTo(byHand, 12);
  });

  it('finds days of one weekday each far apart, so that such a feature alarms nobody', () => {
    const week = Array.from({ length: 7 }, (_, day) =>
      counted(Array.from({ length: 7 }, (_, bin) => (bin === day ? 10_000 : 0))),
    );
    // The usual rule of thumb calls .25 a large shift.
    expect(spreadOf(...week).psi).toBeGreaterThan(5);
    expect(spreadOf(counted([5000, 5000]), counted([5050, 4950])).psi).toBeLessThan(0.001);
  });

  it('leaves out days with fewer than 200 rows, however different, but counts their rows', () => {
    const days = [counted([500, 500]), counted([500, 500])];
    expect(spreadOf(...days, counted([0, 0], 199)).missing).toBeCloseTo(199 / 2199, 12);
    expect(spreadOf(...days, counted([0, 0], 200)).missing).toBeCloseTo(1 - 200 / 2200, 12);
  });

  it('has no spread without days, and next to none with one', () => {
    const validation = counted([300, 100], 50, 20);
    const none = { missing: 0, unseen: 0, psi: 0 };
    expect(featureReferences(binsFor([0, 0]), validation, [])[0]!.spread).toEqual(none);
    expect(featureReferences(binsFor([0, 0]), validation, [validation])[0]!.spread).toEqual(none);
  });
});
