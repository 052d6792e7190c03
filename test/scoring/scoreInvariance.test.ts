import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { scoreShard } from '../../lib/scoring/scoreShard.ts';
import { WorkerPool } from '../../lib/scoring/workerPool.ts';
import { type FunnelRow, funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { scoreBits } from './readScores.ts';

// Equal bits, not close values: a score that moved in the last digit would make nights incomparable.
const folder = temporaryFolder();
const rows = funnelRows('2024-03-04', 1100);
const neighbours = funnelRows('2024-03-05', 600);
let bundle: ModelBundle;
let oneWorker: WorkerPool;
let fourWorkers: WorkerPool;
let expected: Map<bigint, string>;

let runs = 0;
/** Writes the rows as shards, scores them all at once, and gives the scores' bits by impression. */
async function score(
  shards: readonly (readonly FunnelRow[])[],
  { rowGroupRows = 100_000, pool = oneWorker } = {},
): Promise<Map<bigint, string>> {
  const run = join(folder, `run-${runs++}`);
  mkdirSync(run);
  const scored = shards.map(async (shard, index) => {
    const [input, output] = [join(run, `${index}.parquet`), join(run, `${index}.arrow`)];
    writeFileSync(input, funnelShard(shard, rowGroupRows));
    await scoreShard(input, output, bundle, pool);
    return scoreBits(output);
  });
  return new Map((await Promise.all(scored)).flatMap((bits) => [...bits]));
}

function bitsOf(some: readonly FunnelRow[]): Map<bigint, string> {
  return new Map(some.map(({ impression_id: id }) => [id, expected.get(id)!]));
}

beforeAll(async () => {
  // The default network's widths: kernels for wide matrices are where the order of additions could depend on shape.
  const network = { kind: 'ncs', embeddingWidth: 16, hidden: [256, 128, 64] };
  ({ bundle } = await trainTinyModel(join(folder, 'model'), { config: { network } }));
  const { contract, vocabularies, model } = bundle;
  [oneWorker, fourWorkers] = [1, 4].map(
    (size) => new WorkerPool(size, { contract, vocabularies, model, extraColumns: [] }),
  ) as [WorkerPool, WorkerPool];
  expected = await score([rows]);
});

afterAll(() => Promise.all([oneWorker.close(), fourWorkers.close()]));

describe('a row has the same bits of pctr, pcvr and pctcvr', () => {
  test('which differ between rows, so that equality says something', () => {
    expect(expected.size).toBe(rows.length);
    expect(new Set(expected.values()).size).toBeGreaterThan(0.9 * rows.length);
  });

  test('alone in its shard', async () => {
    const some = rows.filter((_, row) => row % 90 === 17);
    expect(await score(some.map((row) => [row]))).toEqual(bitsOf(some));
  });

  test('in reversed order', async () => {
    expect(await score([rows.toReversed()])).toEqual(expected);
  });

  test('wherever it stands in a batch', async () => {
    for (const shift of [1, 5, 255]) {
      expect(await score([[...rows.slice(shift), ...rows.slice(0, shift)]])).toEqual(expected);
    }
  });

  test.each([
    [1, 40],
    [7, 150],
    [511, 1100],
    [512, 1100],
    [513, 1100],
  ])('in row groups of %i rows', async (rowGroupRows, rowCount) => {
    const some = rows.slice(0, rowCount);
    expect(await score([some], { rowGroupRows })).toEqual(bitsOf(some));
  });

  test('beside other rows', async () => {
    const mixed = rows.flatMap((row, index) =>
      index < neighbours.length ? [row, neighbours[index]!] : [row],
    );
    const found = await score([mixed]);
    expect(found.size).toBe(rows.length + neighbours.length);
    expect(new Map([...found].filter(([id]) => expected.has(id)))).toEqual(expected);
  });

  test('beside a row of nothing but missing values, and one with the longest lists', async () => {
    const [row] = rows;
    const empty: FunnelRow = {
      ...row!,
      impression_id: 1n,
      user_id: null,
      device: null,
      tags: null,
      recent_item_ids: [],
      age: null,
      price: null,
    };
    const full: FunnelRow = {
      ...row!,
      impression_id: 2n,
      tags: Array(50).fill('music'),
      price: 1e30,
      age: 1e30,
    };
    const found = await score([[empty, row!, full]]);
    expect(found.get(row!.impression_id)).toBe(expected.get(row!.impression_id));
  });

  test('with one worker and with four, over many row groups and shards', async () => {
    const shards = [rows.slice(0, 400), rows.slice(400, 401), rows.slice(401)];
    expect(await score(shards, { rowGroupRows: 90, pool: oneWorker })).toEqual(expected);
    expect(await score(shards, { rowGroupRows: 90, pool: fourWorkers })).toEqual(expected);
  });

  test('scored twice', async () => {
    expect(await score([rows])).toEqual(expected);
  });
});
