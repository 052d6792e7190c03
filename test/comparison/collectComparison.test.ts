import { expect, it } from 'vitest';
import { summarise } from '../../lib/comparison/collectComparison.ts';

it('a summary leaves out what is not there and has no deviation of one value', () => {
  expect(summarise([1, null, 3])).toEqual({ mean: 2, sd: Math.SQRT2, values: [1, null, 3] });
  expect(summarise([4])).toEqual({ mean: 4, sd: null, values: [4] });
  expect(summarise([null])).toEqual({ mean: null, sd: null, values: [null] });
});
