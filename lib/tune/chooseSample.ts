import { Ncs4cvrError } from '../base/errors.ts';
import { withShard } from '../parquet/openShard.ts';
import type { ShardSpan } from '../scoring/openSpans.ts';
import { listShards, type ShardInput } from '../storage/listShards.ts';

/** Row groups of an input that stand for all of it. */
export interface Sample {
  readonly spans: readonly ShardSpan[];
  readonly rows: number;
  /** Rows of the whole input, by its bytes: shards outside the sample aren't opened. */
  readonly inputRows: number;
  /** Whether every shard was opened, so that `inputRows` is counted. */
  readonly isWhole: boolean;
}

/**
 * Takes row groups from the input's start until there are enough rows; the last one is taken whole.
 * @param sampleRows at least so many, unless the input has fewer
 * @throws Ncs4cvrError INPUT_EMPTY for an input without rows; what listing and opening shards throw
 */
export async function chooseSample(input: ShardInput, sampleRows: number): Promise<Sample> {
  const { shards } = await listShards(input);
  const inputBytes = shards.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const spans: ShardSpan[] = [];
  let [rows, seenRows, seenBytes] = [0, 0, 0];
  for (const { uri, sizeBytes } of shards) {
    const rowGroups = await withShard(uri, undefined, (shard) => shard.rowGroups);
    let end = 0;
    for (; end < rowGroups.length && rows < sampleRows; end++) rows += rowGroups[end]!.rowCount;
    if (end > 0) spans.push({ uri, rowGroups: { first: 0, end } });
    seenRows += rowGroups.reduce((sum, { rowCount }) => sum + rowCount, 0);
    seenBytes += sizeBytes;
    if (rows >= sampleRows) break;
  }
  if (rows === 0)
    throw new Ncs4cvrError('INPUT_EMPTY', 'the input has no rows', { found: 'row groups without rows' });
  return {
    spans,
    rows,
    inputRows: Math.round((seenRows * inputBytes) / seenBytes),
    isWhole: seenBytes === inputBytes,
  };
}
