import { expect, test } from 'vitest';
import { ABSENT, GroupRanker } from '../../lib/diff/rankGroup.ts';
import { RankingCounter } from '../../lib/diff/rankingSummary.ts';

/** Bits of scores; null for a row that a state doesn't have. */
function bitsOf(...scores: readonly (number | null)[]): Uint32Array {
  const bits = new Uint32Array(Float32Array.from(scores, (score) => score ?? 0).buffer);
  scores.forEach((score, row) => {
    if (score === null) bits[row] = ABSENT;
  });
  return bits;
}

test('a group with a single row in both states is counted, and compared with nothing', () => {
  const counter = new RankingCounter(3);
  const ranker = new GroupRanker(3);
  const both = { from: true, to: true };
  counter.add(ranker.rank(bitsOf(0.1, 0.2, null), bitsOf(0.1, null, 0.3)), both);
  expect(counter.summary).toMatchObject({ groups: 1, comparedGroups: 0, otherFirstShare: null });
  counter.add(ranker.rank(bitsOf(0.1, 0.2), bitsOf(0.2, 0.1)), both);
  expect(counter.summary).toMatchObject({ groups: 2, comparedGroups: 1, otherFirstShare: 1, meanTau: -1 });
});
