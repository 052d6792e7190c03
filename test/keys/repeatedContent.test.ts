import { join } from 'node:path';
import { expect, test } from 'vitest';
import { repeatedContent } from '../../lib/keys/repeatedContent.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { type KeyedRow, writeKeyedPart } from './writeKeyedPart.ts';

const root = join(temporaryFolder(), 'root');
const rows = (first: number, count: number, pctr = 0.25): KeyedRow[] =>
  Array.from({ length: count }, (_, index) => ({ user: first + index, request: 'r', pctr }));

const yesterday = async () => ({
  partition: 'dt=2024-03-08',
  parts: [
    await writeKeyedPart(
      root,
      'y0',
      { 'a.parquet': rows(0, 300), 'b.parquet': rows(300, 20), 'c.parquet': [] },
      70,
    ),
    await writeKeyedPart(root, 'y1', { 'd.parquet': rows(320, 50) }),
  ],
});

test("a span of another date is found in whatever order and part its rows are, with that date's shard", async () => {
  const today = await writeKeyedPart(
    root,
    't0',
    { 'new.parquet': rows(1_000, 40), 'again.parquet': rows(0, 300).reverse(), 'none.parquet': [] },
    37,
  );
  expect(repeatedContent({ partition: 'dt=2024-03-09', parts: [today] }, [await yesterday()])).toEqual([
    {
      ...{ shard: 'again.parquet', rows: 300, same: 'rows' },
      elsewhere: { partition: 'dt=2024-03-08', shard: 'a.parquet' },
    },
  ]);
});

test('the same keys with other scores are found as keys, and the rows themselves before them', async () => {
  const today = await writeKeyedPart(root, 't1', {
    'rescored.parquet': rows(300, 20, 0.5),
    'same.parquet': rows(320, 50),
  });
  const found = repeatedContent({ partition: 'dt=2024-03-09', parts: [today] }, [await yesterday()]);
  expect(found.map(({ shard, same }) => [shard, same])).toEqual([
    ['rescored.parquet', 'keys'],
    ['same.parquet', 'rows'],
  ]);
});

test('one row more, less, twice or with another bit of a score is another span', async () => {
  const base = rows(0, 300);
  const near = Math.fround(0.25 + 2 ** -25);
  const today = await writeKeyedPart(root, 't2', {
    'more.parquet': rows(0, 301),
    'less.parquet': rows(0, 299),
    'twice.parquet': [...base.slice(0, 299), base[0]!],
    'moved.parquet': [...base.slice(0, 299), { ...base[299]!, pctr: near }],
  });
  const found = repeatedContent({ partition: 'dt=2024-03-09', parts: [today] }, [await yesterday()]);
  expect(found.map(({ shard, same }) => [shard, same])).toEqual([['moved.parquet', 'keys']]);
});

test('a publication is not compared with itself', async () => {
  const publication = await yesterday();
  expect(repeatedContent(publication, [publication])).toEqual([]);
});

test('all rows of another date are found however they are spread over shards and parts, and not with one more', async () => {
  const all = [...rows(0, 300), ...rows(300, 20), ...rows(320, 50)];
  const spread = [
    all.filter((_, index) => index % 3 === 0),
    all.filter((_, index) => index % 3 !== 0).reverse(),
  ];
  const [one, other] = [
    await writeKeyedPart(root, 't8', { 'x.parquet': spread[0]! }, 37),
    await writeKeyedPart(root, 't9', { 'y.parquet': spread[1]! }, 37),
  ];
  const found = repeatedContent({ partition: 'dt=2024-03-09', parts: [one, other] }, [await yesterday()]);
  expect(
    found.map(({ shard, rows: count, same, elsewhere }) => [shard, count, same, elsewhere.partition]),
  ).toEqual([
    ['x.parquet', 124, 'rows', 'dt=2024-03-08'],
    ['y.parquet', 246, 'rows', 'dt=2024-03-08'],
  ]);
  const more = await writeKeyedPart(root, 't10', { 'z.parquet': rows(2_000, 1) });
  const parts = [one, other, more];
  expect(repeatedContent({ partition: 'dt=2024-03-09', parts }, [await yesterday()])).toEqual([]);
});
