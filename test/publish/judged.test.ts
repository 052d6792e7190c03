import { expect, test } from 'vitest';
import { SCORE_BINS } from '../../lib/profile/scoreHistogram.ts';
import { judgedOf } from '../../lib/publish/judged.ts';
import type { Manifest } from '../../lib/publish/manifest.ts';

const score = { counts: new Array<number>(SCORE_BINS).fill(0), mean: null, min: null, max: null };
const part = (
  shards: readonly string[],
  ...shifted: readonly { span: number; bins: readonly number[] }[]
) => ({
  ...{ scoredRows: 0, keys: { types: [] }, statistics: { pctr: score, pcvr: score, pctcvr: score } },
  spans: shards.map((shard) => ({ shard })),
  worstSpans: [{ name: 'age', missing: null, unseen: null, shifted }],
});
const shiftedIn = (...parts: readonly ReturnType<typeof part>[]) =>
  judgedOf({ partition: 'p', model: {}, rows: 0, parts } as unknown as Manifest).shiftedShards;

test('the parts of a shard are added up, so that a file in the order of time is not its hours', () => {
  const found = shiftedIn(
    part(['a'], { span: 0, bins: [9, 0] }),
    part(['a', 'b'], { span: 0, bins: [0, 7] }, { span: 1, bins: [5, 1] }, { span: 2, bins: [1, 1] }),
  );
  expect(found.get('age')).toEqual([
    { shard: 'a', bins: [9, 7] },
    { shard: 'b', bins: [5, 1] },
  ]);
});

test('a single shard has none beside it, in however many parts', () => {
  const one = part(['a'], { span: 0, bins: [9, 0] });
  expect(shiftedIn(one, one).size).toBe(0);
});
