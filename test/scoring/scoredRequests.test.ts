import { describe, expect, test } from 'vitest';
import type { PlannedRequest } from '../../lib/scoring/planRequests.ts';
import { PoolRoom } from '../../lib/scoring/poolRoom.ts';
import { splitRowGroups } from '../../lib/scoring/scoredRequest.ts';
import { scoredRequests } from '../../lib/scoring/scoredRequests.ts';
import type { ScoredRows, ScoringRequest } from '../../lib/scoring/scoringProtocol.ts';
import type { GoOn } from '../../lib/scoring/sentRequests.ts';
import type { WorkerPool } from '../../lib/scoring/workerPool.ts';
import { rowsOf } from './scoredRows.ts';

/** One request per list, of row groups of so many rows; row groups are numbered through. */
function requestsOf(...requests: number[][]): PlannedRequest[] {
  let rowGroup = 0;
  return requests.map(
    (rowCounts) =>
      ({
        rowGroups: rowCounts.map((rowCount) => ({
          uri: 'x',
          span: 0,
          reads: { rowGroup: rowGroup++, rowCount },
        })),
        rowCount: rowCounts.reduce((sum, count) => sum + count, 0),
      }) as unknown as PlannedRequest,
  );
}

async function* yielding(requests: PlannedRequest[], error?: Error) {
  yield* requests;
  if (error !== undefined) throw error;
}

const firstOf = ({ rowGroups }: { rowGroups: readonly { reads: { rowGroup: number } }[] }) =>
  rowGroups[0]!.reads.rowGroup;

/** A pool whose requests end when the test says so. */
class ManualPool {
  readonly size: number;
  readonly room: PoolRoom;
  readonly asked: number[] = [];
  readonly #settle = new Map<number, { resolve: (rows: ScoredRows) => void; reject: (e: Error) => void }>();
  readonly #rows = new Map<number, number>();

  constructor(size: number) {
    this.size = size;
    this.room = new PoolRoom(size);
  }

  run(request: ScoringRequest): Promise<ScoredRows> {
    const first = firstOf(request);
    this.asked.push(first);
    this.#rows.set(
      first,
      request.rowGroups.reduce((sum, { reads }) => sum + reads.rowCount, 0),
    );
    return new Promise((resolve, reject) => this.#settle.set(first, { resolve, reject }));
  }

  finish(...requests: number[]): void {
    for (const first of requests) this.#settle.get(first)!.resolve(rowsOf(this.#rows.get(first)!));
  }

  fail(first: number): void {
    this.#settle.get(first)!.reject(new Error(`request ${first}`));
  }
}

function start(
  pool: ManualPool,
  requests: PlannedRequest[],
  { goOn, error }: { goOn?: GoOn; error?: Error } = {},
) {
  const options = goOn === undefined ? {} : { mayGoOn: goOn };
  return scoredRequests(yielding(requests, error), pool as unknown as WorkerPool, options);
}

/** A turn of the event loop: all that can go on has, and Node has reported rejections that nobody handles. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

const takenFrom = async (scored: ReturnType<typeof start>) => {
  const { value, done } = await scored.next();
  return done ? undefined : value!.rowGroups[0]!.rowGroup.reads.rowGroup;
};

describe('scoredRequests', () => {
  test('sends as many requests as there is room for, and yields them in order', async () => {
    const pool = new ManualPool(2);
    const scored = start(pool, requestsOf([5], [1], [5], [5], [5]));
    const first = takenFrom(scored);
    await turn();
    // One more than there are threads is held.
    expect([pool.asked, pool.room.heldRequests]).toEqual([[0, 1, 2], 3]);
    pool.finish(1, 0);
    expect(await first).toBe(0);
    // Held until the caller comes back for the next one: it is being written.
    expect([pool.asked, pool.room.heldRequests]).toEqual([[0, 1, 2], 3]);
    expect(await takenFrom(scored)).toBe(1);
    expect([pool.asked, pool.room.heldRequests]).toEqual([[0, 1, 2, 3], 3]);
    pool.finish(2, 3);
    expect(await takenFrom(scored)).toBe(2);
    expect(await takenFrom(scored)).toBe(3);
    pool.finish(4);
    expect(await takenFrom(scored)).toBe(4);
    expect(await takenFrom(scored)).toBeUndefined();
    expect([pool.asked, pool.room.heldRequests]).toEqual([[0, 1, 2, 3, 4], 0]);
  });

  test('sends one request at a time when other files hold all the room', async () => {
    const pool = new ManualPool(1);
    for (let held = 0; held < 7; held++) pool.room.hold();
    const scored = start(pool, requestsOf([5], [5]));
    const first = takenFrom(scored);
    await turn();
    expect([pool.asked, pool.room.heldRequests]).toEqual([[0], 8]);
    pool.finish(0);
    await first;
    const second = takenFrom(scored);
    await turn();
    expect([pool.asked, pool.room.heldRequests]).toEqual([[0, 1], 8]);
    pool.finish(1);
    await second;
    expect(await takenFrom(scored)).toBeUndefined();
    expect(pool.room.heldRequests).toBe(7);
  });

  test('sends the next request once another file makes room, before its own oldest is scored', async () => {
    const pool = new ManualPool(1);
    pool.room.hold();
    pool.room.hold();
    const scored = start(pool, requestsOf([5], [5], [5]));
    const first = takenFrom(scored);
    await turn();
    expect(pool.asked).toEqual([0]);
    pool.room.release(2);
    await turn();
    expect([pool.asked, pool.room.heldRequests]).toEqual([[0, 1], 2]);
    pool.finish(0, 1);
    expect(await first).toBe(0);
    expect(await takenFrom(scored)).toBe(1);
    pool.finish(2);
    expect(await takenFrom(scored)).toBe(2);
    expect(await takenFrom(scored)).toBeUndefined();
  });

  test('files that wait for their next request at the same time never take the same room', async () => {
    const pool = new ManualPool(1);
    const files = [0, 1, 2].map(() => start(pool, requestsOf([1], [1], [1])));
    for (const file of files) file.next().catch(() => undefined);
    await turn();
    // One for each file, and none of the files found room for a second one.
    expect([pool.asked.length, pool.room.heldRequests]).toEqual([3, 3]);
  });

  test('throws the first error in order once all that was sent has ended, and frees the room', async () => {
    const pool = new ManualPool(3);
    const scored = start(pool, requestsOf([5], [5], [5]));
    let hasEnded = false;
    const outcome = scored
      .next()
      .catch((error: Error) => error.message)
      .finally(() => {
        hasEnded = true;
      });
    await turn();
    pool.fail(1);
    await turn();
    pool.fail(0);
    await turn();
    expect(hasEnded).toBe(false);
    pool.finish(2);
    expect(await outcome).toBe('request 0');
    expect(pool.room.heldRequests).toBe(0);
  });

  test('an error of planning comes after the requests before it, and nothing is sent behind it', async () => {
    const pool = new ManualPool(3);
    const scored = start(pool, requestsOf([5], [5]), { error: new Error('no such column') });
    const first = takenFrom(scored);
    await turn();
    pool.finish(0, 1);
    expect([await first, await takenFrom(scored)]).toEqual([0, 1]);
    await expect(scored.next()).rejects.toThrow('no such column');
    expect(pool.room.heldRequests).toBe(0);
  });

  test('frees the room of a caller that stops early', async () => {
    const pool = new ManualPool(3);
    const scored = start(pool, requestsOf([5], [5], [5]));
    const first = scored.next();
    await turn();
    pool.finish(0, 1, 2);
    await first;
    expect(pool.room.heldRequests).toBe(3);
    await scored.return(undefined);
    expect(pool.room.heldRequests).toBe(0);
  });

  test('asks whether to go on before all but the first request, with the rows that wait, and stops at a no', async () => {
    const pool = new ManualPool(1);
    const questions: [number, number][] = [];
    const goOn: GoOn = (request, waitingRows) => {
      questions.push([firstOf(request), waitingRows]);
      return questions.length < 3;
    };
    const scored = start(pool, requestsOf([5, 2], [3], [4], [9], [1]), { goOn });
    const first = takenFrom(scored);
    await turn();
    expect(questions).toEqual([[2, 10]]);
    pool.finish(0, 2);
    expect([await first, await takenFrom(scored)]).toEqual([0, 2]);
    const third = takenFrom(scored);
    await turn();
    pool.finish(3);
    expect([await third, await takenFrom(scored)]).toEqual([3, undefined]);
    // The first was written when the third was sent, the second when the fourth was asked about.
    expect(questions).toEqual([
      [2, 10],
      [3, 7],
      [4, 13],
    ]);
    expect([pool.asked, pool.room.heldRequests]).toEqual([[0, 2, 3], 0]);
  });

  test.each([[[10]], [[3, 4, 3]], [[1, 9]]])(
    'tells the rows and scores of each row group apart, also when they come in batches of %j',
    async (batchRows) => {
      const pool = { room: new PoolRoom(0), run: async () => rowsOf(10, batchRows) };
      const scored = scoredRequests(yielding(requestsOf([2, 1, 7])), pool as unknown as WorkerPool);
      const { value } = await scored.next();
      const found = splitRowGroups(value!).map(({ batches, pctr, pcvr, pctcvr }) => {
        const keys = batches.flatMap((batch) => [...(batch.getChild('key')!.toArray() as Int32Array)]);
        expect([[...pctr], [...pcvr], [...pctcvr]]).toEqual([keys, keys, keys]);
        return keys;
      });
      expect(found).toEqual([[0, 1], [2], [3, 4, 5, 6, 7, 8, 9]]);
    },
  );

  test('a request that comes back with other rows than were sent is an error', async () => {
    for (const rows of [rowsOf(9), { ...rowsOf(10), columnsIpc: rowsOf(9).columnsIpc }]) {
      const pool = { room: new PoolRoom(0), run: async () => rows };
      const scored = scoredRequests(yielding(requestsOf([10])), pool as unknown as WorkerPool);
      await expect(scored.next()).rejects.toMatchObject({ code: 'SHARD_ROW_COUNT_MISMATCH' });
    }
  });
});
