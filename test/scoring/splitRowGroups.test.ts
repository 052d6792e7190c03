import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { PoolRoom } from '../../lib/scoring/poolRoom.ts';
import { partMetadata } from '../../lib/scoring/predictionMetadata.ts';
import { SPLIT_ROWS, UNSPLIT_ROWS } from '../../lib/scoring/requestLimits.ts';
import { type BadSpanCell, type ScoreSpansOptions, scoreSpans } from '../../lib/scoring/scoreSpans.ts';
import { SpareColumns } from '../../lib/scoring/spareColumns.ts';
import { scoringPool, type WorkerPool } from '../../lib/scoring/workerPool.ts';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { overwritten } from '../parquet/sampleShards.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { readTable, scoreBits } from './readScores.ts';

const folder = temporaryFolder();
const ROWS = UNSPLIT_ROWS + 5000;
const rows = funnelRows('2024-03-04', ROWS);
const large = join(folder, 'large.parquet');
const NULLABLE_KEY = { name: 'impression_id', type: 'INT64', repetition_type: 'OPTIONAL' } as const;
let bundle: ModelBundle;
let pool: WorkerPool;

beforeAll(async () => {
  ({ bundle } = await trainTinyModel(join(folder, 'model')));
  pool = scoringPool(bundle, 2);
  writeFileSync(large, funnelShard(rows, ROWS));
});

afterAll(() => pool.close());

/** Without what differs by name: the same metadata for all files. */
async function score(uri: string, name: string, options: Partial<ScoreSpansOptions> = {}, by = pool) {
  mkdirSync(join(folder, 'out'), { recursive: true });
  const metadata = () => partMetadata(bundle, { inputCount: 1, rowCount: ROWS });
  const output = join(folder, 'out', name);
  return { output, ...(await scoreSpans([{ uri }], output, bundle, by, { metadata, ...options })) };
}

describe('a row group of more rows than a request takes', () => {
  test('has the bits of its rows in small row groups, and the bytes of any number of threads', async () => {
    const whole = await score(large, 'two.arrow');
    expect(whole.rowCount).toBe(ROWS);
    const small = join(folder, 'small.parquet');
    writeFileSync(small, funnelShard(rows, 30_000));
    const pieces = await score(small, 'small.arrow');
    expect([...scoreBits(whole.output)]).toEqual([...scoreBits(pieces.output)]);
    expect(whole.profile).toEqual(pieces.profile);
    const one = scoringPool(bundle, 1);
    const alone = await score(large, 'one.arrow', {}, one);
    await one.close();
    expect(readFileSync(alone.output).equals(readFileSync(whole.output))).toBe(true);
    expect(readTable(whole.output).batches.map(({ numRows }) => numRows)).toEqual([
      SPLIT_ROWS,
      SPLIT_ROWS,
      ROWS - 2 * SPLIT_ROWS,
    ]);
  });

  test('is scored by all threads, its columns decoded once', async () => {
    const asked: string[] = [];
    const by = {
      room: new PoolRoom(Number.POSITIVE_INFINITY),
      decode: (request: Parameters<WorkerPool['decode']>[0]) => {
        asked.push(...request.rowGroup.reads.columns.map(({ column }) => column.name));
        return pool.decode(request);
      },
      run: (request: Parameters<WorkerPool['run']>[0]) => {
        asked.push(`${request.rowGroups[0]!.rows?.start}`);
        return pool.run(request);
      },
    } as unknown as WorkerPool;
    await score(large, 'watched.arrow', {}, by);
    const columns = new Set([
      ...bundle.contract.rowKeys,
      ...bundle.contract.features.map(({ column }) => column),
    ]);
    expect(asked.slice(0, -3).sort()).toEqual([...columns].sort());
    expect(asked.slice(-3)).toEqual(['0', `${SPLIT_ROWS}`, `${2 * SPLIT_ROWS}`]);
  });

  test('has the same bytes beside others, of its own file and of another', async () => {
    const twice = join(folder, 'twice.parquet');
    writeFileSync(twice, funnelShard([...rows, ...rows], ROWS));
    const alone = await score(twice, 'alone.arrow');
    const beside = await Promise.all(
      [twice, large, twice].map((uri, index) => score(uri, `beside-${index}.arrow`)),
    );
    const bytes = beside.map(({ output }) => readFileSync(output));
    expect(bytes[0]!.equals(readFileSync(alone.output))).toBe(true);
    expect(bytes[2]!.equals(bytes[0]!)).toBe(true);
    expect(bytes[1]!.equals(readFileSync(join(folder, 'out/two.arrow')))).toBe(true);
    expect(alone.rowCount).toBe(2 * ROWS);
    expect([...scoreBits(alone.output)]).toEqual([...scoreBits(join(folder, 'out/two.arrow'))]);
  });

  test('has the bits of its rows in small row groups, also in memory that held other row groups', async () => {
    const days = ['2024-03-05', '2024-03-06', '2024-03-07', '2024-03-08'];
    const other = days.flatMap((day) => funnelRows(day, ROWS));
    const [large, small] = ['days.parquet', 'small-days.parquet'].map((name) => join(folder, name)) as [
      string,
      string,
    ];
    writeFileSync(large, funnelShard(other, ROWS));
    writeFileSync(small, funnelShard(other, 30_000));
    const taken = vi.spyOn(SpareColumns.prototype, 'take');
    const [first, second] = await Promise.all([score(large, 'days-1.arrow'), score(large, 'days-2.arrow')]);
    const counts = taken.mock.results.map(({ value }) => (value as unknown[]).length);
    taken.mockRestore();
    // Five of eight row groups at least have begun when others are done.
    expect(counts.filter((count) => count > 0).length).toBeGreaterThan(counts.length / 3);
    const pieces = await score(small, 'small-days.arrow');
    const bits = [...scoreBits(pieces.output)];
    expect([...scoreBits(first.output)]).toEqual(bits);
    expect(first.profile).toEqual(pieces.profile);
    expect(readFileSync(first.output).equals(readFileSync(second.output))).toBe(true);
  }, 60_000);

  test('is asked about once, with all of its rows, and not left in its middle', async () => {
    const first = join(folder, 'behind.parquet');
    writeFileSync(first, funnelShard(rows.slice(0, 10), 10));
    const asked: number[] = [];
    const metadata = () => partMetadata(bundle, { inputCount: 1, rowCount: ROWS });
    const scored = await scoreSpans(
      [{ uri: first }, { uri: large }, { uri: first }],
      join(folder, 'out/asked.arrow'),
      bundle,
      pool,
      {
        metadata,
        mayGoOn: (nextRows) => {
          asked.push(nextRows);
          return asked.length < 2;
        },
      },
    );
    expect(asked[0]).toBeGreaterThanOrEqual(ROWS);
    expect(asked).toHaveLength(2);
    expect(scored).toMatchObject({ rowCount: ROWS + 10, stoppedAt: { span: 2, rowGroup: 0 } });
  });

  test('tells of rows that are left out by their place in the row group', async () => {
    const bad = [3, SPLIT_ROWS - 1, SPLIT_ROWS, 2 * SPLIT_ROWS + 7];
    const uri = join(folder, 'bad.parquet');
    const withoutKeys = rows.map((row, index) =>
      bad.includes(index) ? { ...row, impression_id: null } : row,
    );
    writeFileSync(uri, funnelShard(withoutKeys as never, ROWS, { impression_id: [NULLABLE_KEY] }));
    const cells: BadSpanCell[] = [];
    const scored = await score(uri, 'bad.arrow', { onBadCells: (some) => cells.push(...some) });
    expect(scored.rowCount).toBe(ROWS - bad.length);
    expect(cells).toEqual(
      bad.map((row) => ({
        span: 0,
        rowGroup: 0,
        row,
        column: 'impression_id',
        reason: 'KEY_NULL',
        value: null,
      })),
    );
    const expected = [...scoreBits(join(folder, 'out/two.arrow'))].filter((_, row) => !bad.includes(row));
    expect([...scoreBits(scored.output)]).toEqual(expected);
  });

  test('counts the rows without a key of the piece in which they were found, and says which rows that is', async () => {
    const bad = [SPLIT_ROWS + 5, SPLIT_ROWS + 6, 2 * SPLIT_ROWS + 7];
    const uri = join(folder, 'keyless.parquet');
    const withoutKeys = rows.map((row, index) =>
      bad.includes(index) ? { ...row, impression_id: null } : row,
    );
    writeFileSync(uri, funnelShard(withoutKeys as never, ROWS, { impression_id: [NULLABLE_KEY] }));
    const { message } = await score(uri, 'keyless.arrow', { needsKeys: true }).then(
      () => new Error('it was scored'),
      (error: Error) => error,
    );
    const [, count, start, end, first] = /found (\d+) nulls in rows (\d+) to (\d+), the first in row (\d+)\)/
      .exec(message)!
      .map(Number) as number[];
    expect(bad.filter((row) => row >= start! && row <= end!)).toHaveLength(count!);
    expect(first).toBe(bad[0]);
  });

  test('fails with the name of the damaged column', async () => {
    const uri = join(folder, 'damaged.parquet');
    const bytes = readFileSync(large);
    writeFileSync(uri, overwritten(bytes, 4, Array(200).fill(255)));
    await expect(score(uri, 'damaged.arrow')).rejects.toMatchObject({
      code: 'SHARD_PAGE_CORRUPT',
      location: { file: uri, rowGroup: 0, column: expect.any(String) },
    });
  });
});
