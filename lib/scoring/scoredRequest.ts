import { type RecordBatch, tableFromIPC } from 'apache-arrow';
import { Ncs4cvrError } from '../base/errors.ts';
import { releaseMemory } from '../base/releaseMemory.ts';
import type { PartProfile } from '../profile/partProfile.ts';
import type { TalliedSpans } from '../profile/worstSpans.ts';
import { type BadRowCell, countBadRows } from './badCells.ts';
import type { PlannedRequest, PlannedRowGroup } from './planRequests.ts';
import { requestedRows } from './requestedRowGroup.ts';
import type { ScoredRows } from './scoringProtocol.ts';
import { sliceBatches } from './sliceBatches.ts';

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

/** @throws Ncs4cvrError SHARD_ROW_COUNT_MISMATCH */
export function receivedRequest({ rowGroups, rowCount }: PlannedRequest, rows: ScoredRows): ScoredRequest {
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
