import { expect, test } from 'vitest';
import { chanceShare } from '../../lib/gates/chance.ts';

test('a share that nobody has seen may still be there: among ten rows more than among a million', () => {
  const few = chanceShare(0, 10, 0, 10);
  // Four deviations of (0 + 0 + 1) / (10 + 10 + 2) between ten rows and ten.
  expect(few).toBeCloseTo(4 * Math.sqrt((1 / 22) * (21 / 22) * (1 / 10 + 1 / 10)), 12);
  const many = chanceShare(0, 1e6, 0, 1e6);
  expect(many).toBeGreaterThan(0);
  expect(many).toBeLessThan(few / 1000);
});
