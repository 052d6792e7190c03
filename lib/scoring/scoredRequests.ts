import { type RecordBatch, tableFromIPC } from 'apache-arrow';
import { Ncs4cvrError } from '../base/errors.ts';
import { releaseMemory } from '../base/releaseMemory.ts';
import { sumOf } from '../base/sumOf.ts';
import type { PartProfile } from '../profile/partProfile.ts';
import type { TalliedSpans } from '../profile/worstSpans.ts';
import { type BadRowCell, countBadRows } from './badCells.ts';
import type { PlannedRequest, PlannedRowGroup } from './planRequests.ts';
import { requestedRows } from './requestedRowGroup.ts';
import type { DecodedRowGroup, ScoredRows } from './scoringProtocol.ts';
import { sliceBatches } from './sliceBatches.ts';
import { isSplit, UpcomingRequests } from './upcomingRequests.ts';
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
  /** Of the last request of a row group that was decoded for several. */
  readonly decoded?: Promise<DecodedRowGroup>;
}

/**
 * Has requests scored by the pool and yields them in order. A file always has one request on its way; more of them only
 * while all files of the pool together hold few, so memory grows neither with a file nor with their number. Of row groups that
 * are decoded for several requests, all files together have one and the next, or several small ones.
 * @throws the first error in the order of the requests
 */
export async function* scoredRequests(
  requests: AsyncGenerator<PlannedRequest, void, undefined>,
  pool: WorkerPool,
  { countLabels = false, leaveOutBadRows = false, mayGoOn = () => true }: ScoredRequestsOptions = {},
): AsyncGenerator<ScoredRequest, void, undefined> {
  const { room } = pool;
  const upcoming = new UpcomingRequests(requests, pool, leaveOutBadRows);
  const sent: Sent[] = [];
  /** Of the row group that the last request sent is of. */
  let rowsLeft = 0;
  let held = 0;
  let isFirst = true;
  let isLast = false;
  let waitsForTurn = false;
  let asked: { readonly request: PlannedRequest; readonly answer: boolean } | undefined;
  const goesOn = (request: PlannedRequest): boolean => {
    const { rowGroups, rowCount, split } = request;
    const { rows, reads } = rowGroups[0]!;
    // A file ends with a whole row group.
    if (isFirst || (rows !== undefined && rows.start > 0)) return true;
    if (asked?.request !== request) {
      const nextRows = split === undefined ? rowCount : reads.rowCount;
      const waitingRows = sumOf(sent, (one) => one.rowCount) + rowsLeft + nextRows;
      asked = { request, answer: mayGoOn(request, waitingRows) };
    }
    return asked.answer;
  };
  const send = (next: Sent) => {
    // Its rejection is reported when its turn comes; until then it must not count as unhandled.
    next.scored.catch(() => {
      isLast = true;
    });
    sent.push(next);
  };
  /** @returns whether there is a next one, and it may be sent now */
  const sendNext = async (): Promise<boolean> => {
    const request = await upcoming.first();
    waitsForTurn = request !== undefined && isSplit(request) && !upcoming.mayDecode(request);
    if (waitsForTurn) return false;
    isLast ||= request === undefined || !goesOn(request);
    if (request === undefined || isLast) return false;
    const decoded = isSplit(request) ? upcoming.decoded(request) : undefined;
    const { rowGroups, rowCount } = request;
    isFirst = false;
    const [{ rows, reads }] = rowGroups as [PlannedRowGroup];
    rowsLeft = rows === undefined ? 0 : reads.rowCount - rows.end;
    const options = {
      ...(countLabels ? { countLabels } : {}),
      ...(leaveOutBadRows ? { leaveOutBadRows } : {}),
    };
    const run = async () => {
      if (decoded === undefined) return pool.run({ rowGroups, ...options });
      return pool.run({ rowGroups, ...options, decoded: await decoded });
    };
    const scored = run().then((found) => received(request, found));
    send({ rowCount, scored, ...(decoded === undefined || rowsLeft > 0 ? {} : { decoded }) });
    upcoming.take(request, goesOn);
    return true;
  };
  try {
    for (;;) {
      const changed = room.changed();
      while (!isLast && (sent.length === 0 || room.hasRoom) && (!waitsForTurn || room.isTurnFree)) {
        // Before the wait, so that others don't take the same room.
        held++;
        room.hold();
        const isSent = await sendNext().catch((error: unknown) => {
          send({ rowCount: 0, scored: Promise.reject(error) });
          return true;
        });
        if (isSent) continue;
        held--;
        room.release();
        break;
      }
      const [oldest] = sent;
      if (oldest === undefined && isLast) return;
      const scored = oldest?.scored.then(() => true);
      // Others may make room, or end their turn, before it is scored.
      const isScored = await (isLast ? scored : Promise.race([scored ?? changed, changed.then(() => false)]));
      if (!isScored) continue;
      sent.shift();
      const next = await oldest!.scored;
      // All requests of its row group have been answered.
      if (oldest!.decoded !== undefined) room.spareColumns.give((await oldest!.decoded).columns);
      yield next;
      held--;
      room.release();
    }
  } finally {
    await Promise.allSettled(sent.map(({ scored }) => scored));
    room.release(held);
    await upcoming.close();
  }
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
