import type { FeatureContract } from '../features/contract.ts';
import type { ParquetShard } from '../parquet/openShard.ts';
import { readRanges } from '../parquet/readRowGroup.ts';
import { rowGroupReads } from '../parquet/rowGroupReads.ts';
import { isInMemory, type OpenSpan } from './openSpans.ts';
import { JOIN_GAP_BYTES, REQUEST_BYTES, REQUEST_ROWS } from './requestLimits.ts';
import type { RequestedRowGroup } from './scoringProtocol.ts';

/** A row group to be scored, and where it stands. */
export interface PlannedRowGroup extends RequestedRowGroup {
  /** Of its first row in the shard. */
  readonly rowStart: number;
  /** Rows of all row groups of the span. */
  readonly spanRows: number;
}

export interface PlannedRequest {
  readonly rowGroups: readonly PlannedRowGroup[];
  readonly rowCount: number;
}

/**
 * Packs the row groups of spans into requests, in order: neighbours share one as long as it stays small. Row groups without
 * rows, which some writers leave, are passed over.
 * @param columnsOf the columns to read of a span; called once for each
 * @param firstRowGroup of the first span
 * @throws what opening the spans, `columnsOf` and rowGroupReads throw, after the requests before it
 */
export async function* planRequests(
  spans: AsyncIterable<OpenSpan>,
  columnsOf: (span: OpenSpan) => readonly string[],
  firstRowGroup = 0,
): AsyncGenerator<PlannedRequest, void, undefined> {
  let rowGroups: PlannedRowGroup[] = [];
  let rowCount = 0;
  let bytes = 0;
  const take = (): PlannedRequest => {
    const request = { rowGroups, rowCount };
    [rowGroups, rowCount, bytes] = [[], 0, 0];
    return request;
  };
  let isFirst = true;
  for await (const open of spans) {
    const { index, shard, range } = open;
    const columns = columnsOf(open);
    const spanRows = rowsOf(open);
    const start = isFirst ? Math.max(range.first, firstRowGroup) : range.first;
    isFirst = false;
    for (let rowGroup = start; rowGroup < range.end; rowGroup++) {
      if (shard.rowGroups[rowGroup]?.rowCount === 0) continue;
      const reads = rowGroupReads(shard, rowGroup, columns, JOIN_GAP_BYTES);
      const isFull = rowCount + reads.rowCount > REQUEST_ROWS || bytes + reads.bufferBytes > REQUEST_BYTES;
      if (rowGroups.length > 0 && isFull) yield take();
      const { uri, sizeBytes, version } = shard;
      rowGroups.push({
        span: index,
        rowStart: shard.rowGroups[rowGroup]!.rowStart,
        spanRows,
        ...{ uri, sizeBytes, version, reads },
        ...(isInMemory(shard) ? { buffer: await readRanges(shard.file, reads) } : {}),
      });
      rowCount += reads.rowCount;
      bytes += reads.bufferBytes;
    }
  }
  if (rowGroups.length > 0) yield take();
}

/**
 * The columns of a shard that scoring reads: row keys, `extraColumns`, and the features that the shard has.
 */
export function columnsToRead(
  { schema }: ParquetShard,
  { rowKeys, features }: FeatureContract,
  extraColumns: readonly string[] = [],
): string[] {
  const inShard = new Set(schema.fields.map(({ name }) => name));
  const ofFeatures = features.map(({ column }) => column).filter((name) => inShard.has(name));
  return [...new Set([...rowKeys, ...extraColumns, ...ofFeatures])];
}

/** Rows of a span. */
function rowsOf({ shard, range }: OpenSpan): number {
  return shard.rowGroups.slice(range.first, range.end).reduce((sum, { rowCount }) => sum + rowCount, 0);
}
