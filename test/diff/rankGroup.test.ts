import { expect, it } from 'vitest';
import { JoinedRows } from '../../lib/diff/joinedRows.ts';
import { ABSENT, GroupRanker } from '../../lib/diff/rankGroup.ts';

const bitsOf = (...scores: number[]) => new Uint32Array(Float32Array.from(scores).buffer);

it('the top of a group that is smaller than K is as many rows as the larger state has', () => {
  const from = Uint32Array.of(...bitsOf(0.9, 0.8), ABSENT);
  const to = bitsOf(0.9, 0.8, 0.7);
  for (const [a, b] of [
    [from, to],
    [to, from],
  ] as const) {
    expect(new GroupRanker(10).rank(a, b)).toMatchObject({ topRows: 3, topCommon: 2, common: 2 });
  }
});

it('a score of minus zero is joined as zero: its bits would be the largest', () => {
  const joined = new JoinedRows();
  const scores = [-0, -0, -0].map((score) => bitsOf(score));
  joined.add('from', Uint8Array.of(1), 1, { group: 0, slice: 0 }, scores, 0);
  expect(joined.from.map((bits) => bits[0])).toEqual([0, 0, 0]);
});
