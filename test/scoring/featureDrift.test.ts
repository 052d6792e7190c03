import { describe, expect, test } from 'vitest';
import { featureDrift } from '../../lib/scoring/featureDrift.ts';

const trained = {
  rows: 1000,
  counts: [
    { name: 'city', values: 1000, missing: 20, unseen: 50 },
    { name: 'recent', values: 8000, missing: 900, unseen: 0 },
  ],
};

describe('feature drift', () => {
  test('is silent about a night like those of training, also for a list that is mostly empty', () => {
    const scored = {
      rows: 100,
      counts: [
        { name: 'city', values: 100, missing: 5, unseen: 9 },
        { name: 'recent', values: 500, missing: 85, unseen: 10 },
      ],
    };
    expect(featureDrift(scored, trained)).toEqual([]);
  });

  test('names a column that went missing and one whose values changed, with the shares before and now', () => {
    const scored = {
      rows: 100,
      counts: [
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
    expect(featureDrift({ rows: 0, counts: [] }, trained)).toEqual([]);
  });
});
