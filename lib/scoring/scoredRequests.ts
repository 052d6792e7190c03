import { type RecordBatch, tableFromIPC } from 'apache-arrow';
import { allOrFirstError } from '../base/allOrFirstError.ts';
import { Ncs4cvrError } from '../base/errors.ts';
import { releaseMemory } from '../base/releaseMemory.ts';
import type { PartProfile } from '../profile/partProfile.ts';
import type { TalliedSpans } from '../profile/worstSpans.ts';
import { type BadRowCell, countBadRows } from './badCells.ts';
import type { PlannedRequest, PlannedRowGroup, SplitRowGroup } from './planRequests.ts';
import { requestedRows } from './requestedRowGroup.ts';
import type { DecodedRowGroup, ScoredRows } from './scoringProtocol.ts';
import { sliceBatches } from './sliceBatches.ts';
import type { WorkerPool } from './workerPool.ts';

/** Rows in input order, but for those that were left out. */
interface ScoredBatches {
  /** Row keys and extra columns. */
  readonly batches: readonly RecordBatch[];
  readonly pctr: Float32Array;
  readonly pcvr: Float32Array;
  readonly pctcvr: Float32Array;
}

export interface ScoredRowGroup extends ScoredBatches {
  readonly rowGroup: PlannedRowGroup;
}

/** A request's rows: those of several row groups are in one batch, whatever shards they come from. */
export interface ScoredRequest extends ScoredBatches {
  readonly rowGroups: readonly {
    readonly rowGroup: PlannedRowGroup;
    /** Why rows were left out, sorted by row. */
    readonly badCells: readonly BadRowCell[];
  }[];
  /** Of all of them. */
  readonly profile: PartProfile;
  /** Of their spans, in order. */
  readonly spans: TalliedSpans;
  /** Ends the life of `batches` and scores, once nothing reads them any more. */
  release(): void;
}

/** Asked before a request is sent. @param waitingRows its rows and those that were sent and aren't scored yet */
export type GoOn = (request: PlannedRequest, waitingRows: number) => boolean;

interface ScoredRequestsOptions {
  /** Count labels where they have been read. */
  readonly countLabels?: boolean;
  /** As in `ScoringRequest`. */
  readonly leaveOutBadRows?: boolean;
  /** Not asked about the first request; no more is sent once it said no. */
  readonly mayGoOn?: GoOn;
}

interface Sent {
  readonly rowCount: number;
  readonly scored: Promise<ScoredRequest>;
}

/**
 * Has requests scored by the pool and yields them in order. A file always has one request on its way; more of them only
 * while all files of the pool together hold few, so memory grows neither with a file nor with their number.
 * @throws the first error in the order of the requests
 */
export async function* scoredRequests(
  requests: AsyncGenerator<PlannedRequest, void, undefined>,
  pool: WorkerPool,
  { countLabels = false, leaveOutBadRows = false, mayGoOn = () => true }: ScoredRequestsOptions = {},
): AsyncGenerator<ScoredRequest, void, undefined> {
  const sent: Sent[] = [];
  let isFirst = true;
  let isLast = false;
  let held = 0;
  const hold = (change: number) => {
    held += change;
    pool.heldRequests += change;
  };
  let decoding: { readonly split: SplitRowGroup; readonly decoded: Promise<DecodedRowGroup> } | undefined;
  const decodedOnce = (split: SplitRowGroup): Promise<DecodedRowGroup> => {
    if (decoding?.split !== split) decoding = { split, decoded: decodeSplit(split, pool, leaveOutBadRows) };
    return decoding.decoded;
  };
  /** Undefined when there is no more to send. */
  const sendNext = async (): Promise<Sent | undefined> => {
    const { value: request } = await requests.next();
    if (!request) return undefined;
    const { rowGroups, split } = request;
    const { rows, reads } = rowGroups[0]!;
    // A file ends with a whole row group.
    const isBegun = rows !== undefined && rows.start > 0;
    const nextRows = split === undefined ? request.rowCount : reads.rowCount;
    const waitingRows = sent.reduce((sum, { rowCount }) => sum + rowCount, nextRows);
    if (!isFirst && !isBegun && !mayGoOn(request, waitingRows)) return undefined;
    isFirst = false;
    const options = {
      ...(countLabels ? { countLabels } : {}),
      ...(leaveOutBadRows ? { leaveOutBadRows } : {}),
    };
    const run = async () => {
      if (split === undefined) return pool.run({ rowGroups, ...options });
      return pool.run({ rowGroups, ...options, decoded: await decodedOnce(split) });
    };
    const scored = run().then((found) => received(request, found));
    return { rowCount: request.rowCount, scored };
  };
  try {
    for (;;) {
      while (!isLast && (sent.length === 0 || pool.hasRoom)) {
        // Before the wait, so that others don't take the same room.
        hold(1);
        const next = await sendNext().catch(
          (error: unknown): Sent => ({ rowCount: 0, scored: Promise.reject(error) }),
        );
        if (next === undefined) {
          isLast = true;
          hold(-1);
          break;
        }
        // Its rejection is reported when its turn comes; until then it must not count as unhandled.
        next.scored.catch(() => {
          isLast = true;
        });
        sent.push(next);
      }
      const oldest = sent.shift();
      if (oldest === undefined) return;
      yield await oldest.scored;
      hold(-1);
    }
  } finally {
    await Promise.allSettled(sent.map(({ scored }) => scored));
    hold(-held);
    await requests.return();
  }
}

/** Tells row groups apart, for threads that keep the columns of one. */
let decodedRowGroups = 0;

/** @throws the error of the first columns at fault */
async function decodeSplit(
  { columnRuns }: SplitRowGroup,
  pool: WorkerPool,
  leaveOutBadRows: boolean,
): Promise<DecodedRowGroup> {
  const decoded = await allOrFirstError(
    columnRuns.map((rowGroup) => pool.decode({ rowGroup, ...(leaveOutBadRows ? { leaveOutBadRows } : {}) })),
  );
  return {
    id: decodedRowGroups++,
    columns: new Map(decoded.flatMap(({ columns }) => [...columns])),
    badCells: decoded.flatMap(({ badCells }) => badCells),
  };
}

function received({ rowGroups, rowCount }: PlannedRequest, rows: ScoredRows): ScoredRequest {
  const { columnsIpc, pctr, pcvr, pctcvr, profile, spans, badCells } = rows;
  const batches = tableFromIPC(columnsIpc).batches.filter(({ numRows }) => numRows > 0);
  const found = batches.reduce((sum, batch) => sum + batch.numRows, 0);
  const scored = rowGroups.map((rowGroup, index) => ({
    rowGroup,
    badCells: badCells.length === 0 ? [] : badCells.filter((cell) => cell.rowGroup === index),
  }));
  const badRows = scored.reduce((sum, of) => sum + countBadRows(of.badCells), 0);
  if (found + badRows !== rowCount || rows.rowCount !== found) {
    throw new Ncs4cvrError('SHARD_ROW_COUNT_MISMATCH', 'not every row was scored', {
      file: rowGroups[0]!.uri,
      expected: `${rowCount} rows`,
      found: `${found + badRows} rows`,
    });
  }
  const release = () => releaseMemory([columnsIpc, pctr, pcvr, pctcvr]);
  return { rowGroups: scored, batches, pctr, pcvr, pctcvr, profile, spans, release };
}

/** Tells the rows of a request apart by row group. */
export function splitRowGroups({ rowGroups, batches, pctr, pcvr, pctcvr }: ScoredRequest): ScoredRowGroup[] {
  let end = 0;
  return rowGroups.map(({ rowGroup, badCells }) => {
    const at = end;
    end += requestedRows(rowGroup) - countBadRows(badCells);
    const own = (scores: Float32Array) => scores.subarray(at, end);
    return {
      ...{ rowGroup, batches: sliceBatches(batches, at, end) },
      ...{ pctr: own(pctr), pcvr: own(pcvr), pctcvr: own(pctcvr) },
    };
  });
}
