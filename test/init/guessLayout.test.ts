import { describe, expect, it } from 'vitest';
import { guessLayout } from '../../lib/init/guessLayout.ts';

describe('guessLayout', () => {
  it.each([
    [['dt=2026-01-02', 'dt=2026-01-03', 'dt=test'], 'dt=%Y-%m-%d', ['2026-01-02', '2026-01-03']],
    [['year=2026/month=1/day=9'], 'year=%Y/month=%m/day=%d', ['2026-01-09']],
    [['region=us/date=20260102/hour=7'], 'region=*/date=%Y%m%d/hour=%H', ['2026-01-02']],
    [['day=20260102', 'day=20260103'], 'day=%Y%m%d', ['2026-01-02', '2026-01-03']],
    [['day=2026-01-02/hour=07'], 'day=%Y-%m-%d/hour=%H', ['2026-01-02']],
    [['hour=2026010207'], 'hour=%Y%m%d%H', ['2026-01-02']],
    [
      ['archive', 'dt=2026-01-02', 'dt=2026-01-03/hour=1', 'dt=2026-01-04'],
      'dt=%Y-%m-%d',
      ['2026-01-02', '2026-01-04'],
    ],
    [['month=9/slot=2'], 'month=*/slot=*', []],
    [['day_a', 'day_b'], undefined, []],
    [[''], undefined, []],
  ])('takes %j for %s', (folders, layout, days) => {
    expect(guessLayout(folders)).toMatchObject({ layout, days });
  });

  it.each([
    [['archive', 'dt=2026-01-02'], 'archive'],
    [['', 'dt=2026-01-02'], '.'],
    [['dt=2026-01-02', 'dt=2026-01-02/part'], undefined],
  ])('of %j tells the folder that is in no partition: %s', (folders, strayFolder) => {
    expect(guessLayout(folders).strayFolder).toBe(strayFolder);
  });
});
