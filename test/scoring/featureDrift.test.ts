import { describe, expect, test } from 'vitest';
import { featureDrift } from '../../lib/scoring/featureDrift.ts';

const trained = {
  rows: 1000,
  features: [
    { name: 'city', values: 1000, missing: 20, unseen: 50 },
    { name: 'recent', values: 8000, missing: 900, unseen: 0 },
  ],
};

describe('feature drift', () => {
  test('is silent about a night like those of training, also for a list that is mostly empty', () => {
    const scored = {
      rows: 100,
      features: [
        { name: 'city', values: 100, missing: 5, unseen: 9 },
        { name: 'recent', values: 500, missing: 85, unseen: 10 },
      ],
    };
    expect(featureDrift(scored, trained)).toEqual([]);
  });

  test('names a column that went missing and one whose values changed, with the shares before and now', () => {
    const scored = {
      rows: 100,
      features: [
        { name: 'city', values: 100, missing: 100, unseen: 0 },
        { name: 'recent', values: 500, missing: 90, unseen: 500 },
      ],
    };
    expect(featureDrift(scored, trained)).toEqual([
      { name: 'city', missing: 1, missingInTraining: 0.02, unseen: 0, unseenInTraining: 0.05 },
      { name: 'recent', missing: 0.9, missingInTraining: 0.9, unseen: 1, unseenInTraining: 0 },
    ]);
  });

  test('is empty when nothing was scored', () => {
    expect(featureDrift({ rows: 0, features: [] }, trained)).toEqual([]);
    const none = trained.features.map(({ name }) => ({ name, values: 0, missing: 0, unseen: 0 }));
    expect(featureDrift({ rows: 0, features: none }, trained)).toEqual([]);
  });

  const driftOf = (missing: number, unseen: number, rows = 10) =>
    featureDrift(
      { rows, features: [{ name: 'a', values: rows - missing, missing, unseen }] },
      { rows: 10, features: [{ name: 'a', values: 10, missing: 0, unseen: 0 }] },
    );

  test('begins above a tenth, not at it, from one row on', () => {
    expect(driftOf(1, 0)).toEqual([]);
    expect(driftOf(2, 0)).toHaveLength(1);
    expect(driftOf(0, 1)).toEqual([]);
    expect(driftOf(0, 2)).toHaveLength(1);
    expect(driftOf(0, 1, 1)).toMatchObject([{ missing: 0, unseen: 1 }]);
  });

  test('counts the unseen among no values as none', () => {
    expect(driftOf(10, 0)).toMatchObject([{ missing: 1, unseen: 0 }]);
  });

  test('tells of values that came back as of those that were lost', () => {
    const scored = { rows: 100, features: [{ name: 'recent', values: 800, missing: 0, unseen: 0 }] };
    expect(featureDrift(scored, trained)).toMatchObject([{ missing: 0, missingInTraining: 0.9 }]);
  });

  test('is silent about a feature that training did not count', () => {
    const features = [{ name: 'new', values: 0, missing: 100, unseen: 0 }];
    expect(featureDrift({ rows: 100, features }, trained)).toEqual([]);
  });
});
