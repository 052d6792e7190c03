import { describe, expect, test } from 'vitest';
import type { ParquetShard } from '../../lib/parquet/openShard.ts';
import { scoredRowGroups } from '../../lib/scoring/scoredRowGroups.ts';
import type { RowGroupRequest, ScoredRowGroup } from '../../lib/scoring/scoringProtocol.ts';
import type { WorkerPool } from '../../lib/scoring/workerPool.ts';

const shardOf = (...rowCounts: number[]) =>
  ({
    uri: 'part-0.parquet',
    version: 'v1',
    rowGroups: rowCounts.map((rowCount) => ({ rowCount })),
  }) as unknown as ParquetShard;

/** A pool whose row groups end when the test says so. */
class ManualPool {
  heldRowGroups = 0;
  readonly size: number;
  readonly asked: RowGroupRequest[] = [];
  readonly #settle = new Map<
    number,
    { resolve: (scored: ScoredRowGroup) => void; reject: (e: Error) => void }
  >();

  constructor(size: number) {
    this.size = size;
  }

  get hasRoom(): boolean {
    return this.heldRowGroups <= this.size;
  }

  run(request: RowGroupRequest): Promise<ScoredRowGroup> {
    this.asked.push(request);
    return new Promise((resolve, reject) => this.#settle.set(request.rowGroup, { resolve, reject }));
  }

  finish(...rowGroups: number[]): void {
    for (const rowGroup of rowGroups) this.#settle.get(rowGroup)!.resolve({ rowGroup } as ScoredRowGroup);
  }

  fail(rowGroup: number): void {
    this.#settle.get(rowGroup)!.reject(new Error(`row group ${rowGroup}`));
  }
}

function start(pool: ManualPool, shard: ParquetShard, range?: { first: number; end: number }) {
  return scoredRowGroups(shard, pool as unknown as WorkerPool, range);
}

const askedOf = ({ asked }: ManualPool) => asked.map(({ rowGroup }) => rowGroup);

describe('scoredRowGroups', () => {
  test('asks for as many row groups as there is room for, and yields them in file order', async () => {
    const pool = new ManualPool(2);
    const scored = start(pool, shardOf(5, 0, 1, 5, 5, 5));
    const first = scored.next();
    // Row group 1 has no rows. One more than there are threads is held.
    expect([askedOf(pool), pool.heldRowGroups]).toEqual([[0, 2, 3], 3]);
    expect(pool.asked[1]).toEqual({ shardUri: 'part-0.parquet', rowGroup: 2, shardVersion: 'v1' });
    pool.finish(2, 0);
    expect((await first).value).toMatchObject({ rowGroup: 0 });
    // Held until the caller comes back for the next one: it is being written.
    expect([askedOf(pool), pool.heldRowGroups]).toEqual([[0, 2, 3], 3]);
    expect((await scored.next()).value).toMatchObject({ rowGroup: 2 });
    expect([askedOf(pool), pool.heldRowGroups]).toEqual([[0, 2, 3, 4], 3]);
    pool.finish(3, 4);
    expect((await scored.next()).value).toMatchObject({ rowGroup: 3 });
    expect((await scored.next()).value).toMatchObject({ rowGroup: 4 });
    pool.finish(5);
    expect((await scored.next()).value).toMatchObject({ rowGroup: 5 });
    expect((await scored.next()).done).toBe(true);
    expect([askedOf(pool), pool.heldRowGroups]).toEqual([[0, 2, 3, 4, 5], 0]);
  });

  test('asks for one row group at a time when other shards hold all the room', async () => {
    const pool = new ManualPool(1);
    pool.heldRowGroups = 7;
    const scored = start(pool, shardOf(5, 5));
    const first = scored.next();
    expect([askedOf(pool), pool.heldRowGroups]).toEqual([[0], 8]);
    pool.finish(0);
    await first;
    const second = scored.next();
    expect([askedOf(pool), pool.heldRowGroups]).toEqual([[0, 1], 8]);
    pool.finish(1);
    await second;
    expect((await scored.next()).done).toBe(true);
    expect(pool.heldRowGroups).toBe(7);
  });

  test('takes the row groups of a range only, its first one included and its end not', async () => {
    const pool = new ManualPool(9);
    const scored = start(pool, shardOf(5, 5, 5, 5), { first: 1, end: 3 });
    const first = scored.next();
    expect(askedOf(pool)).toEqual([1, 2]);
    pool.finish(1, 2);
    await first;
    await scored.return(undefined);
  });

  test('throws the first error in file order once all row groups in flight have ended, and frees their room', async () => {
    const pool = new ManualPool(3);
    const scored = start(pool, shardOf(5, 5, 5));
    let hasEnded = false;
    const outcome = scored
      .next()
      .catch((error: Error) => error.message)
      .finally(() => {
        hasEnded = true;
      });
    // A turn of the event loop: by its end Node reports a rejection that nobody handles.
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    pool.fail(1);
    await turn();
    pool.fail(0);
    await turn();
    expect(hasEnded).toBe(false);
    pool.finish(2);
    expect(await outcome).toBe('row group 0');
    expect(pool.heldRowGroups).toBe(0);
  });

  test('frees the room of a caller that stops early', async () => {
    const pool = new ManualPool(3);
    const scored = start(pool, shardOf(5, 5, 5));
    const first = scored.next();
    pool.finish(0, 1, 2);
    await first;
    expect(pool.heldRowGroups).toBe(3);
    await scored.return(undefined);
    expect(pool.heldRowGroups).toBe(0);
  });
});
