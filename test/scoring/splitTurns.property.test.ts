import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { PlannedRequest } from '../../lib/scoring/planRequests.ts';
import { PoolRoom } from '../../lib/scoring/poolRoom.ts';
import { scoredRequests } from '../../lib/scoring/scoredRequests.ts';
import type { DecodingRequest, ScoringRequest } from '../../lib/scoring/scoringProtocol.ts';
import type { WorkerPool } from '../../lib/scoring/workerPool.ts';
import { rowsOf } from './scoredRows.ts';

interface RowGroup {
  /** 1 for one that isn't decoded for several. */
  readonly requests: number;
  readonly fails?: 'plan' | 'decode' | 'run' | undefined;
  /** Whether scoring is to stop before it. */
  readonly isLate: boolean;
}

interface FileOfRowGroups {
  readonly rowGroups: readonly RowGroup[];
  /** Requests after which nobody wants more. */
  readonly wanted: number;
}

const rowGroup: fc.Arbitrary<RowGroup> = fc.record({
  requests: fc.oneof(fc.constant(1), fc.integer({ min: 3, max: 18 })),
  fails: fc.oneof(
    { weight: 20, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.constantFrom('plan' as const, 'decode' as const, 'run' as const) },
  ),
  isLate: fc.oneof(
    { weight: 12, arbitrary: fc.constant(false) },
    { weight: 1, arbitrary: fc.constant(true) },
  ),
});

const file: fc.Arbitrary<FileOfRowGroups> = fc.record({
  rowGroups: fc.array(rowGroup, { maxLength: 5 }),
  wanted: fc.oneof(fc.constant(Number.POSITIVE_INFINITY), fc.integer({ min: 1, max: 30 })),
});

/** Numbers from a seed, so that a failure comes again with its example. */
function waits(seed: number) {
  let state = seed;
  return async () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const turns = (state >>> 16) % 4;
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
}

async function* planned(
  index: number,
  rowGroups: readonly RowGroup[],
  wait: () => Promise<void>,
): AsyncGenerator<PlannedRequest, void, undefined> {
  for (const [rowGroup, { requests, fails }] of rowGroups.entries()) {
    await wait();
    if (fails === 'plan') throw new Error(`${index} ${rowGroup} plan`);
    const place = { uri: `${index}`, span: 0, reads: { rowGroup, rowCount: requests, columns: [] } };
    const runOf = (name: string) => ({
      ...place,
      reads: { ...place.reads, columns: [{ column: { name } }] },
    });
    const split = { columnRuns: [runOf('a'), runOf('b')] };
    for (let start = 0; start < requests; start++) {
      const part = requests === 1 ? {} : { rows: { start, end: start + 1 } };
      const request = {
        rowGroups: [{ ...place, ...part }],
        rowCount: 1,
        ...(requests === 1 ? {} : { split }),
      };
      yield request as unknown as PlannedRequest;
    }
  }
}

/** A pool of so many threads, which take requests in their order. */
function threads(size: number, files: readonly FileOfRowGroups[], wait: () => Promise<void>) {
  let free = size;
  const waiting: (() => void)[] = [];
  const onThread = async (fails: string | undefined) => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    await wait();
    const next = waiting.shift();
    if (next === undefined) free++;
    else next();
    if (fails !== undefined) throw new Error(fails);
  };
  const running = { count: 0 };
  const overwritten: number[] = [];
  const work = async (
    kind: 'decode' | 'run',
    { uri, reads }: { uri: string; reads: { rowGroup: number } },
  ) => {
    const { fails } = files[Number(uri)]!.rowGroups[reads.rowGroup]!;
    running.count++;
    try {
      await wait();
      await onThread(fails === kind ? `${uri} ${reads.rowGroup} ${kind}` : undefined);
    } finally {
      running.count--;
    }
  };
  const idOf = ({ uri, reads }: { uri: string; reads: { rowGroup: number } }) =>
    100 * Number(uri) + reads.rowGroup;
  const pool = {
    size,
    room: new PoolRoom(size),
    decode: async ({ rowGroup, spare }: DecodingRequest) => {
      const values = new Int32Array(spare?.[0] ?? new SharedArrayBuffer(4));
      values[0] = idOf(rowGroup);
      await work('decode', rowGroup);
      const [{ column }] = rowGroup.reads.columns as unknown as [{ column: { name: string } }];
      const columns = new Map([[column.name, { values, children: [] }]]);
      return { columns, encoded: new Map(), badCells: [] };
    },
    run: async ({ rowGroups: [rowGroup], decoded }: ScoringRequest) => {
      expect(decoded === undefined).toBe(rowGroup!.rows === undefined);
      try {
        await work('run', rowGroup!);
      } finally {
        // Nobody has written to the columns' memory meanwhile.
        const found = [...(decoded?.columns.values() ?? [])].map(({ values }) => Number(values![0]));
        overwritten.push(...found.filter((id) => id !== idOf(rowGroup!)));
      }
      return rowsOf(1);
    },
  };
  return { pool: pool as unknown as WorkerPool, running, overwritten };
}

/** What a file's call gives where it is alone, request by request. */
function expectedOf(index: number, { rowGroups, wanted }: FileOfRowGroups) {
  const scored: string[] = [];
  for (const [at, { requests, fails, isLate }] of rowGroups.entries()) {
    if (scored.length >= wanted) break;
    if (fails === 'plan') return { scored, error: `${index} ${at} plan` };
    if (isLate && at > 0) break;
    for (let request = 0; request < requests; request++) {
      if (scored.length >= wanted) return { scored };
      const isMet = fails === 'run' || (fails === 'decode' && requests > 1);
      if (isMet) return { scored, error: `${index} ${at} ${fails}` };
      scored.push(`${at}:${requests === 1 ? '' : request}`);
    }
  }
  return { scored };
}

async function scoreFile(
  index: number,
  { rowGroups, wanted }: FileOfRowGroups,
  pool: WorkerPool,
  wait: () => Promise<void>,
) {
  const scored: string[] = [];
  const asked: number[] = [];
  const requests = planned(index, rowGroups, wait);
  try {
    const mayGoOn = ({ rowGroups: [first] }: PlannedRequest) => {
      asked.push(first!.reads.rowGroup);
      return !rowGroups[first!.reads.rowGroup]!.isLate;
    };
    for await (const { rowGroups: done } of scoredRequests(requests, pool, { mayGoOn })) {
      const [{ rowGroup }] = done as [(typeof done)[0]];
      scored.push(`${rowGroup.reads.rowGroup}:${rowGroup.rows?.start ?? ''}`);
      await wait();
      if (scored.length >= wanted) break;
    }
    return { scored, asked };
  } catch (error) {
    return { scored, error: (error as Error).message, asked };
  }
}

it('scores each file as if it were alone, whatever fails, ends early or is no longer wanted, and leaves nothing held', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 6 }),
      fc.array(file, { minLength: 1, maxLength: 5 }),
      fc.nat(),
      async (size, files, seed) => {
        const wait = waits(seed);
        const { pool, running, overwritten } = threads(size, files, wait);
        const all = await Promise.all(files.map((file, index) => scoreFile(index, file, pool, wait)));
        for (const [index, { asked, ...found }] of all.entries()) {
          expect(found).toEqual(expectedOf(index, files[index]!));
          expect(new Set(asked).size).toBe(asked.length);
        }
        expect(running.count).toBe(0);
        expect(overwritten).toEqual([]);
        expect(pool.room).toMatchObject({ heldRequests: 0, turns: 0 });
      },
    ),
    { numRuns: 400 },
  );
}, 60_000);
