import { featureColumns } from '../features/columnRequirements.ts';
import type { FeatureContract } from '../features/contract.ts';
import type { ParquetShard } from '../parquet/openShard.ts';
import { readRanges } from '../parquet/readRowGroup.ts';
import { type ReadColumn, type RowGroupReads, rowGroupReads } from '../parquet/rowGroupReads.ts';
import type { OpenSpan } from './openSpans.ts';
import type { RequestedRowGroup } from './requestedRowGroup.ts';
import {
  JOIN_GAP_BYTES,
  REQUEST_BYTES,
  REQUEST_ROWS,
  SPLIT_BYTES,
  SPLIT_ROWS,
  UNSPLIT_ROWS,
} from './requestLimits.ts';

/** A row group to be scored, and where it stands. */
export interface PlannedRowGroup extends RequestedRowGroup {
  /** The span's place among the spans. */
  readonly span: number;
  /** Of its first row to be scored, in the shard. */
  readonly rowStart: number;
  /** Rows of all row groups of the span. */
  readonly spanRows: number;
}

export interface PlannedRequest {
  readonly rowGroups: readonly PlannedRowGroup[];
  readonly rowCount: number;
  /** Of a row group that is too large for one request: the same object in all of its requests. */
  readonly split?: SplitRowGroup;
}

/** A row group whose columns are decoded once for several requests: by runs of neighbouring columns. */
export interface SplitRowGroup {
  readonly columnRuns: readonly RequestedRowGroup[];
}

/**
 * Packs the row groups of spans into requests, in order: neighbours share one as long as it stays small, and a row group of very
 * many rows gets several. Row groups without rows, which some writers leave, are passed over.
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
      const { rowStart } = shard.rowGroups[rowGroup]!;
      const place = { span: index, rowStart, spanRows, uri, sizeBytes, version, reads };
      if (reads.rowCount > UNSPLIT_ROWS) {
        yield* splitRequests(place, await columnRuns(open, reads));
        continue;
      }
      rowGroups.push({ ...place, ...(await bytesOf(open, reads)) });
      rowCount += reads.rowCount;
      bytes += reads.bufferBytes;
    }
  }
  if (rowGroups.length > 0) yield take();
}

/**
 * What was read with the footer. The last row group gets the very memory of the file: a copy takes as long as reading, and
 * small shards mostly have one row group.
 */
async function bytesOf(
  { shard, range, bytes }: OpenSpan,
  reads: RowGroupReads,
): Promise<Pick<RequestedRowGroup, 'buffer'>> {
  if (bytes === undefined) return {};
  const [first, ...others] = reads.ranges;
  const isLast = reads.rowGroup === range.end - 1;
  // Not for a small part of it: a request's size is told by what it needs.
  const isMost = 2 * reads.bufferBytes > bytes.length;
  if (!isLast || !isMost || others.length > 0) return { buffer: await readRanges(shard.file, reads) };
  return { buffer: bytes.subarray(first!.startByte, first!.endByte) };
}

/**
 * Runs of columns that are neighbours in the file, so that hardly a byte is read twice. The largest comes first: whatever
 * thread is free takes the next one, and all wait for the last.
 */
async function columnRuns(
  { index: span, shard, bytes: whole }: OpenSpan,
  { rowGroup, columns }: RowGroupReads,
): Promise<RequestedRowGroup[]> {
  const { uri, sizeBytes, version } = shard;
  const runs: { readonly names: string[]; bytes: number }[] = [];
  const startOf = ({ chunks }: ReadColumn) => chunks[0]!.startByte;
  for (const { column, chunks } of [...columns].sort((a, b) => startOf(a) - startOf(b))) {
    const bytes = chunks.reduce((sum, { startByte, endByte }) => sum + endByte - startByte, 0);
    const last = runs.at(-1);
    if (last === undefined || last.bytes + bytes > SPLIT_BYTES) runs.push({ names: [column.name], bytes });
    else {
      last.names.push(column.name);
      last.bytes += bytes;
    }
  }
  runs.sort((a, b) => b.bytes - a.bytes);
  const requested = runs.map(async ({ names }) => {
    const reads = rowGroupReads(shard, rowGroup, names, JOIN_GAP_BYTES);
    const read = whole === undefined ? {} : { buffer: await readRanges(shard.file, reads) };
    return { span, uri, sizeBytes, version, reads, ...read };
  });
  return Promise.all(requested);
}

function* splitRequests(
  place: PlannedRowGroup,
  runs: readonly RequestedRowGroup[],
): Generator<PlannedRequest> {
  const split = { columnRuns: runs };
  const { rowCount } = place.reads;
  for (let start = 0; start < rowCount; start += SPLIT_ROWS) {
    const end = Math.min(rowCount, start + SPLIT_ROWS);
    const rowGroup = { ...place, rowStart: place.rowStart + start, rows: { start, end } };
    yield { rowGroups: [rowGroup], rowCount: end - start, split };
  }
}

/**
 * The columns of a shard that scoring reads: row keys, `extraColumns`, and the features that the shard has.
 */
export function columnsToRead(
  { schema }: ParquetShard,
  contract: FeatureContract,
  extraColumns: readonly string[] = [],
): string[] {
  const inShard = new Set(schema.fields.map(({ name }) => name));
  const ofFeatures = featureColumns(contract).filter((name) => inShard.has(name));
  return [...new Set([...contract.rowKeys, ...extraColumns, ...ofFeatures])];
}

function rowsOf({ shard, range }: OpenSpan): number {
  return shard.rowGroups.slice(range.first, range.end).reduce((sum, { rowCount }) => sum + rowCount, 0);
}
