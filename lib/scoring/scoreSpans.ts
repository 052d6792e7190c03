import { type PredictionBatch, PredictionWriter } from '../arrow/predictionWriter.ts';
import type { ModelBundle } from '../bundle/loadBundle.ts';
import { labelColumn } from '../features/labelValues.ts';
import { addProfiles, emptyProfile } from '../profile/addProfiles.ts';
import { hasLabels } from '../profile/countLabels.ts';
import type { PartProfile } from '../profile/partProfile.ts';
import { type CountedSpans, WorstSpanFinder } from '../profile/worstSpans.ts';
import { storageFor } from '../storage/openStorage.ts';
import type { BadRowCell } from './badCells.ts';
import { type OpenSpan, openFromFirst, type ShardSpan } from './openSpans.ts';
import { columnsToRead, planRequests } from './planRequests.ts';
import { requestedRows } from './requestedRowGroup.ts';
import type { ScoredRequest } from './scoredRequest.ts';
import { scoredRequests } from './scoredRequests.ts';
import type { GoOn } from './sentRequests.ts';
import { spanCheck } from './spanCheck.ts';
import type { WorkerPool } from './workerPool.ts';

/** Where scoring starts or stopped. */
export interface SpanPosition {
  /** Index among the spans. */
  readonly span: number;
  /** Row group of the span's shard, counted from the shard's first. */
  readonly rowGroup: number;
}

/** A value for which a row was left out. */
export interface BadSpanCell extends BadRowCell {
  /** Index among the spans; `rowGroup` is counted from the shard's first. */
  readonly span: number;
}

export interface ScoreSpansOptions {
  /** The file's schema metadata, by the first span; see predictionMetadata.ts. */
  readonly metadata: (first: OpenSpan) => ReadonlyMap<string, string>;
  /** Leave an output that is there as it is. */
  readonly ifAbsent?: boolean;
  /** As in `CreateOptions`. */
  readonly pieceBytes?: number;
  /** Called with every row group that was written: its rows, and those of its whole span. */
  readonly onRows?: (rowCount: number, spanRows: number) => void;
  /** Count labels in the shards that have both of their columns. Not by default. */
  readonly countLabels?: boolean;
  /** A null key is an error, unless its row is left out. By default it is passed on. */
  readonly needsKeys?: boolean;
  /**
   * Given where rows that can't be decoded or have no key are left out, and told of them in order before anything behind them is
   * written. What it throws ends the call.
   */
  readonly onBadCells?: (cells: readonly BadSpanCell[]) => void;
  /** The first row group by default. */
  readonly from?: SpanPosition;
  /**
   * Asked before anything but the first request is sent to the pool; no more is sent once it said no, and the file ends there.
   * @param nextRows rows that are to be scored before the file could end if it said yes: those sent and not written, and the
   * row groups to be sent next
   * @param rowsSoFar rows written
   * @param seconds since the call
   */
  readonly mayGoOn?: (nextRows: number, rowsSoFar: number, seconds: number) => boolean;
}

export interface ScoredFile {
  readonly rowCount: number;
  readonly sizeBytes: number;
  /** Of the rows in the file. */
  readonly profile: PartProfile;
  readonly spans: CountedSpans;
  /** False when the output was to be written only if absent, and was there. */
  readonly isCreated: boolean;
  /** Of the file that was created. */
  readonly version?: string;
  /** The first row group that isn't in the file when `mayGoOn` ended it. */
  readonly stoppedAt?: SpanPosition;
}

/**
 * The whole path of some row groups of shards: storage -> parquet -> features -> session -> arrow -> storage. This thread reads
 * ahead of the pool's threads, which decode, encode and score. The rows are written in the order of the spans, those of a
 * request in one record batch, or in batches of 65,536, and the file appears under its name whole or not at all.
 *
 * The bytes follow from the metadata, the row groups and the model alone, and a request begins wherever scoring has stopped: files
 * that each start where the one before stopped can be joined to what one call would have written: `concatenatePredictions`.
 *
 * @param spans one at least
 * @throws StorageError STORAGE_FILE_CHANGED when a shard is another version than the known one; Ncs4cvrError
 * PART_KEYS_DIFFER when a row key's type isn't the one in the first shard. What is wrong with a shard names it, and ends the call
 */
export async function scoreSpans(
  spans: readonly ShardSpan[],
  outputUri: string,
  bundle: ModelBundle,
  pool: WorkerPool,
  {
    metadata,
    ifAbsent = false,
    pieceBytes,
    onRows,
    countLabels = false,
    needsKeys = false,
    onBadCells,
    from = { span: 0, rowGroup: 0 },
    mayGoOn,
  }: ScoreSpansOptions,
): Promise<ScoredFile> {
  const startMillis = performance.now();
  const { first, open, close } = await openFromFirst(spans, from.span);
  try {
    const check = spanCheck(first, bundle.contract, needsKeys);
    /** Shards of one schema mostly share its columns. */
    let last: { readonly columns: unknown; readonly read: readonly string[] } | undefined;
    const columnsOf = (span: OpenSpan) => {
      check.shard(span);
      const { columns, schema } = span.shard;
      if (last?.columns === columns) return last.read;
      const { labels } = bundle.manifest;
      const isCounted = countLabels && labels !== undefined && hasLabels(schema, labels);
      const labelColumns = isCounted ? [labels.click, labels.conversion].map(labelColumn) : [];
      last = { columns, read: columnsToRead(span.shard, bundle.contract, labelColumns) };
      return last.read;
    };
    columnsOf(first);
    const output = await storageFor(outputUri).createAtomic(outputUri, {
      ifAbsent,
      ...(pieceBytes === undefined ? {} : { pieceBytes }),
    });
    try {
      const writer = await PredictionWriter.open({
        file: output,
        keyFields: check.keyFields,
        metadata: metadata(first),
      });
      let profile = emptyProfile(bundle.layout, bundle.reference);
      const worst = new WorstSpanFinder(bundle.layout, bundle.reference);
      let rowsSoFar = 0;
      let stoppedAt: SpanPosition | undefined;
      const requests = planRequests(open, columnsOf, from.rowGroup);
      const goesOn: GoOn = ({ rowGroups }, waitingRows) => {
        const seconds = (performance.now() - startMillis) / 1000;
        if (mayGoOn?.(waitingRows, rowsSoFar, seconds) ?? true) return true;
        const { span, reads } = rowGroups[0]!;
        stoppedAt = { span, rowGroup: reads.rowGroup };
        return false;
      };
      const scored = scoredRequests(requests, pool, {
        countLabels,
        leaveOutBadRows: onBadCells !== undefined,
        mayGoOn: goesOn,
      });
      for await (const request of scored) {
        for (const { rowGroup, badCells } of request.rowGroups) {
          const { span, reads } = rowGroup;
          const placed = badCells.map((cell) => ({ ...cell, span, rowGroup: reads.rowGroup }));
          if (placed.length > 0) onBadCells?.(placed);
        }
        check.nulls(request);
        await writer.write(...predictionBatches(request));
        request.release();
        for (const { rowGroup } of request.rowGroups) {
          const rows = requestedRows(rowGroup);
          rowsSoFar += rows;
          onRows?.(rows, rowGroup.spanRows);
        }
        profile = addProfiles(profile, request.profile);
        worst.addTallied(request.spans);
      }
      const { rowCount, sizeBytes } = await writer.finish();
      const created = await output.commit();
      return {
        ...{ rowCount, sizeBytes, profile, spans: worst.counted(), isCreated: created !== undefined },
        ...(created === undefined ? {} : { version: created.version }),
        ...(stoppedAt === undefined ? {} : { stoppedAt }),
      };
    } catch (error) {
      await output.abort();
      throw error;
    }
  } finally {
    await close();
  }
}

function predictionBatches({ batches, pctr, pcvr, pctcvr }: ScoredRequest): PredictionBatch[] {
  let at = 0;
  return batches.map((keys) => {
    const start = at;
    at += keys.numRows;
    const own = (scores: Float32Array) => scores.subarray(start, at);
    return { keys, pctr: own(pctr), pcvr: own(pcvr), pctcvr: own(pctcvr) };
  });
}
