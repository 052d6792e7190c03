import type { RecordBatch } from 'apache-arrow';
import type { ParquetShard } from './openShard.ts';
import { type ReadOptions, readRowGroup } from './readRowGroup.ts';

export interface ShardBatch {
  /** URI of the shard. */
  readonly file: string;
  readonly rowGroup: number;
  /** The batch's first row, counted from the start of the shard. */
  readonly rowStart: number;
  readonly batch: RecordBatch;
}

export interface ShardReadOptions extends ReadOptions {
  /** Row groups to read, in this order. Default: all. */
  readonly rowGroups?: readonly number[];
}

/**
 * Reads some columns of a shard, row group by row group; the next one is read when the last batch has been taken.
 * Throws as `readRowGroup` does.
 */
export async function* readRecordBatches(
  shard: ParquetShard,
  columns: readonly string[],
  { rowGroups = [...shard.rowGroups.keys()], ...options }: ShardReadOptions = {},
): AsyncGenerator<ShardBatch, void, undefined> {
  for (const rowGroup of rowGroups) {
    let rowStart = shard.rowGroups[rowGroup]?.rowStart ?? 0;
    for (const batch of await readRowGroup(shard, rowGroup, columns, options)) {
      yield { file: shard.uri, rowGroup, rowStart, batch };
      rowStart += batch.numRows;
    }
  }
}
