import type { ParquetShard } from '../parquet/openShard.ts';
import type { ScoredRowGroup } from './scoringProtocol.ts';
import type { WorkerPool } from './workerPool.ts';

/** Row groups `[first, end)` of a shard. */
export interface RowGroupRange {
  readonly first: number;
  readonly end: number;
}

/**
 * Scores the row groups of a shard, or a range of them, on the pool and yields them in file order. A shard always has one row group
 * asked for; more of them only while all shards of the pool together hold few, so memory grows neither with the
 * file nor with the number of shards. Row groups without rows, which some writers leave, are passed over.
 * @throws the error of the first broken row group, in file order
 */
export async function* scoredRowGroups(
  shard: ParquetShard,
  pool: WorkerPool,
  { first, end }: RowGroupRange = { first: 0, end: shard.rowGroups.length },
): AsyncGenerator<ScoredRowGroup> {
  const rowGroups = [...shard.rowGroups.keys()].filter(
    (rowGroup) => rowGroup >= first && rowGroup < end && shard.rowGroups[rowGroup]!.rowCount > 0,
  );
  const inFlight: Promise<ScoredRowGroup>[] = [];
  let next = 0;
  let held = 0;
  const hold = (change: number) => {
    held += change;
    pool.heldRowGroups += change;
  };
  try {
    for (let yielded = 0; yielded < rowGroups.length; yielded++) {
      for (; next < rowGroups.length && (inFlight.length === 0 || pool.hasRoom); next++) {
        const scored = pool.run({
          shardUri: shard.uri,
          rowGroup: rowGroups[next]!,
          shardVersion: shard.version,
        });
        // Its rejection is reported when its turn comes; until then it must not count as unhandled.
        scored.catch(() => undefined);
        inFlight.push(scored);
        hold(1);
      }
      yield await inFlight.shift()!;
      hold(-1);
    }
  } finally {
    await Promise.allSettled(inFlight);
    hold(-held);
  }
}
