import { type RecordBatch, tableFromIPC } from 'apache-arrow';
import { Ncs4cvrError } from '../base/errors.ts';
import type { PartProfile } from '../profile/partProfile.ts';
import type { SpanCounts } from '../profile/worstSpans.ts';
import { type BadRowCell, countBadRows } from './badCells.ts';
import type { PlannedRequest, PlannedRowGroup } from './planRequests.ts';
import type { ScoredRows } from './scoringProtocol.ts';
import { sliceBatches } from './sliceBatches.ts';
import type { WorkerPool } from './workerPool.ts';

/** A scored row group: all rows in input order, but for those that were left out. */
export interface ScoredRowGroup {
  readonly rowGroup: PlannedRowGroup;
  /** Row keys and extra columns. */
  readonly batches: readonly RecordBatch[];
  readonly pctr: Float32Array;
  readonly pcvr: Float32Array;
  readonly pctcvr: Float32Array;
  /** Why rows were left out, sorted by row. */
  readonly badCells: readonly BadRowCell[];
}

export interface ScoredRequest {
  readonly rowGroups: readonly ScoredRowGroup[];
  /** Of all of them. */
  readonly profile: PartProfile;
  /** Of their spans, in order. */
  readonly spans: readonly SpanCounts[];
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
  /** Undefined when there is no more to send. */
  const sendNext = async (): Promise<Sent | undefined> => {
    const { value: request } = await requests.next();
    if (!request) return undefined;
    const waitingRows = sent.reduce((sum, { rowCount }) => sum + rowCount, request.rowCount);
    if (!isFirst && !mayGoOn(request, waitingRows)) return undefined;
    isFirst = false;
    const { rowGroups } = request;
    const scored = pool
      .run({
        rowGroups,
        ...(countLabels ? { countLabels } : {}),
        ...(leaveOutBadRows ? { leaveOutBadRows } : {}),
      })
      .then((rows) => splitRows(request, rows));
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

function splitRows({ rowGroups, rowCount }: PlannedRequest, rows: ScoredRows): ScoredRequest {
  const { batches } = tableFromIPC(rows.columnsIpc);
  const found = batches.reduce((sum, batch) => sum + batch.numRows, 0);
  const cellsOf = rowGroups.map((_, index) => rows.badCells.filter(({ rowGroup }) => rowGroup === index));
  const badRows = cellsOf.reduce((sum, cells) => sum + countBadRows(cells), 0);
  if (found + badRows !== rowCount || rows.rowCount !== found) {
    throw new Ncs4cvrError('SHARD_ROW_COUNT_MISMATCH', 'not every row was scored', {
      file: rowGroups[0]!.uri,
      expected: `${rowCount} rows`,
      found: `${found + badRows} rows`,
    });
  }
  let at = 0;
  const split = rowGroups.map((rowGroup, index) => {
    const badCells = cellsOf[index]!;
    const end = at + rowGroup.reads.rowCount - countBadRows(badCells);
    const [pctr, pcvr, pctcvr] = [rows.pctr, rows.pcvr, rows.pctcvr].map((scores) =>
      scores.subarray(at, end),
    );
    const own =
      rowGroups.length === 1 ? batches.filter(({ numRows }) => numRows > 0) : sliceBatches(batches, at, end);
    at = end;
    return { rowGroup, batches: own, pctr: pctr!, pcvr: pcvr!, pctcvr: pctcvr!, badCells };
  });
  return { rowGroups: split, profile: rows.profile, spans: rows.spans };
}
