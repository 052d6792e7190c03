import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import type { PlannedRequest } from '../../lib/scoring/planRequests.ts';
import { PoolRoom } from '../../lib/scoring/poolRoom.ts';
import { scoredRequests } from '../../lib/scoring/scoredRequests.ts';
import type { DecodingRequest, ScoringRequest } from '../../lib/scoring/scoringProtocol.ts';
import type { GoOn } from '../../lib/scoring/sentRequests.ts';
import type { WorkerPool } from '../../lib/scoring/workerPool.ts';
import { rowsOf } from './scoredRows.ts';

const SLICES = 8;

const turn = (millis = 1) => new Promise((resolve) => setTimeout(resolve, millis));

/** Row groups of eight requests each, of a file whose footers take a while. */
async function* splitsOf(
  uri: string,
  rowGroups: number,
  { error, footerMillis = 2 }: { readonly error?: Error; readonly footerMillis?: number } = {},
): AsyncGenerator<PlannedRequest> {
  for (let rowGroup = 0; rowGroup < rowGroups; rowGroup++) {
    if (footerMillis > 0) await turn(footerMillis);
    const place = { uri, span: 0, reads: { rowGroup, rowCount: SLICES, columns: [] } };
    const runOf = (name: string) => ({
      ...place,
      reads: { ...place.reads, columns: [{ column: { name } }] },
    });
    const split = { columnRuns: [runOf('a'), runOf('b')] };
    for (let start = 0; start < SLICES; start++) {
      const rows = { start, end: start + 1 };
      yield { rowGroups: [{ ...place, rows }], rowCount: 1, split } as unknown as PlannedRequest;
    }
  }
  if (error !== undefined) throw error;
}

/** A pool that answers after a while, and notes what it was asked. */
function watchedPool(size: number, failing?: string) {
  const events: string[] = [];
  const decoded: WeakRef<object>[] = [];
  const running = { decodes: 0, mostTurns: 0 };
  const memory = new Set<ArrayBufferLike>();
  const later = () => turn(1 + (events.length % 3));
  const nameOf = ({ uri, reads }: { uri: string; reads: { rowGroup: number } }) => `${uri}${reads.rowGroup}`;
  const pool = {
    size,
    room: new PoolRoom(size),
    decode: async ({ rowGroup, spare }: DecodingRequest) => {
      events.push(`decode ${nameOf(rowGroup)}`);
      running.decodes++;
      running.mostTurns = Math.max(running.mostTurns, pool.room.turns);
      await later();
      running.decodes--;
      if (nameOf(rowGroup) === failing) throw new Error(`damaged ${failing}`);
      const column = { values: new Uint8Array(spare?.[0] ?? new SharedArrayBuffer(8)), children: [] };
      memory.add(column.values.buffer);
      decoded.push(new WeakRef(column));
      return {
        columns: new Map([[rowGroup.reads.columns[0]!.column.name, column]]),
        encoded: new Map(),
        badCells: [],
      };
    },
    run: async ({ rowGroups: [rowGroup] }: ScoringRequest) => {
      events.push(`run ${nameOf(rowGroup!)}`);
      await later();
      return rowsOf(1);
    },
  };
  return { events, decoded, memory, running, pool: pool as unknown as WorkerPool };
}

async function scoreAll(requests: AsyncGenerator<PlannedRequest>, pool: WorkerPool, mayGoOn?: GoOn) {
  let rows = 0;
  for await (const { rowGroups } of scoredRequests(requests as never, pool, mayGoOn ? { mayGoOn } : {})) {
    rows += rowGroups.length;
  }
  return rows;
}

describe('row groups that are decoded for several requests', () => {
  test.each([1, 2])(
    'have turns over all files, the next when two requests for each of %i threads are left of one',
    async (size) => {
      const { events, pool } = watchedPool(size);
      const files = ['a', 'b', 'c'].map((uri) => scoreAll(splitsOf(uri, 3), pool));
      expect(await Promise.all(files)).toEqual([3 * SLICES, 3 * SLICES, 3 * SLICES]);
      const begun: string[] = [];
      for (const [at, event] of events.entries()) {
        const [kind, name] = event.split(' ') as [string, string];
        if (kind !== 'decode' || begun.includes(name)) continue;
        const before = begun.at(-1);
        begun.push(name);
        if (before === undefined) continue;
        const sent = events.slice(0, at).filter((earlier) => earlier === `run ${before}`).length;
        // Requests that wait for their columns have been sent, though the pool hasn't been asked.
        if (sent > 0) expect(sent).toBeGreaterThanOrEqual(SLICES - 2 * size);
      }
      expect(begun).toHaveLength(9);
      expect(pool.room).toMatchObject({ heldRequests: 0, turns: 0 });
    },
  );

  test.each([1, 2, 6])(
    'have two turns at most, however many files there are, of %i threads',
    async (size) => {
      const { running, pool } = watchedPool(size);
      await Promise.all([...'abcdef'].map((uri) => scoreAll(splitsOf(uri, 2), pool)));
      expect(running.mostTurns).toBe(2);
      expect(pool.room).toMatchObject({ heldRequests: 0, turns: 0 });
    },
  );

  test('decodes the next row group of a file before the last requests of the one at hand', async () => {
    const { events, pool } = watchedPool(2);
    await scoreAll(splitsOf('a', 2), pool);
    expect(events.indexOf('decode a1')).toBeLessThan(events.lastIndexOf('run a0'));
  });

  test('decodes nothing that the call is not to score, and asks about it once', async () => {
    const { events, pool } = watchedPool(2);
    const asked: number[] = [];
    let scored = 0;
    const mayGoOn: GoOn = ({ rowGroups }, waitingRows) => {
      const { rowGroup } = rowGroups[0]!.reads;
      asked.push(rowGroup);
      // Its own rows, and those before it that aren't scored yet; one may be on its way to the loop.
      const waiting = SLICES * (rowGroup + 1) - scored;
      expect([waiting, waiting - 1]).toContain(waitingRows);
      return asked.length < 2;
    };
    for await (const { rowGroups } of scoredRequests(splitsOf('a', 4, { footerMillis: 0 }), pool, {
      mayGoOn,
    })) {
      scored += rowGroups.length;
    }
    expect(scored).toBe(2 * SLICES);
    expect(asked).toEqual([1, 2]);
    expect(events).not.toContain('decode a2');
  });

  test('are asked about when there is a turn for them, not before: until then time goes by', async () => {
    const { pool } = watchedPool(2);
    let asked = 0;
    const mayGoOn: GoOn = () => ++asked > 0;
    const scored = scoredRequests(splitsOf('a', 2), pool, { mayGoOn });
    await scored.next();
    // Its own row group still has its turn.
    const other = pool.room.takeTurn(16);
    for (let count = 1; count < SLICES; count++) await scored.next();
    const next = scored.next();
    await turn(10);
    expect(asked).toBe(0);
    other.end();
    await next;
    expect(asked).toBe(1);
    await scored.return();
  });

  test.each(['a0', 'a1', 'a2'])(
    'end their turn when %s fails, and other files are scored',
    async (failing) => {
      const { pool } = watchedPool(2, failing);
      const files = ['a', 'b'].map((uri) => scoreAll(splitsOf(uri, 3), pool));
      const [a, b] = await Promise.allSettled(files);
      expect(a).toMatchObject({ status: 'rejected', reason: { message: `damaged ${failing}` } });
      expect(b).toEqual({ status: 'fulfilled', value: 3 * SLICES });
      expect(pool.room).toMatchObject({ heldRequests: 0, turns: 0 });
    },
  );

  test.each([1, 2, 4])('end their turn when nobody wants the rest, of %i threads', async (size) => {
    for (let wanted = 1; wanted < 2 * SLICES; wanted++) {
      const { pool, running } = watchedPool(size);
      let count = 0;
      for await (const _ of scoredRequests(splitsOf('a', 3) as never, pool)) if (++count === wanted) break;
      expect(running.decodes).toBe(0);
      expect(pool.room).toMatchObject({ heldRequests: 0, turns: 0 });
    }
  });

  test('use the memory of those before them, of any number of files', async () => {
    const { decoded, memory, pool } = watchedPool(1);
    await Promise.all(['a', 'b', 'c'].map((uri) => scoreAll(splitsOf(uri, 4), pool)));
    expect(decoded).toHaveLength(24);
    // Of two columns, in the row group at hand, the next one, and one that is being handed on.
    expect(memory.size).toBeLessThanOrEqual(6);
  });

  test('are let go once their last request has been scored', async () => {
    setFlagsFromString('--expose-gc');
    const { decoded, pool } = watchedPool(1);
    const scored = scoredRequests(splitsOf('a', 4) as never, pool);
    for (let count = 0; count < 3 * SLICES; count++) await scored.next();
    await turn();
    (runInNewContext('gc') as () => void)();
    expect(decoded.slice(0, 4).map((column) => column.deref())).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    expect(decoded.length).toBeGreaterThanOrEqual(6);
    await scored.return();
  });

  test('end their turn when the next one cannot be planned', async () => {
    const { pool } = watchedPool(2);
    await expect(scoreAll(splitsOf('b', 2, { error: new Error('no footer') }), pool)).rejects.toThrow(
      'no footer',
    );
    expect(pool.room).toMatchObject({ heldRequests: 0, turns: 0 });
  });
});
