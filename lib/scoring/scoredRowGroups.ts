import type { ParquetShard } from '../parquet/openShard.ts';
import type { ScoredRowGroup } from './scoringProtocol.ts';
import type { WorkerPool } from './workerPool.ts';

/**
 * Scores the row groups of a shard on the pool and yields them in file order. At most one more than the pool has
 * threads is in flight, so memory doesn't grow with the file.
 * @throws the error of the first broken row group, in file order
 */
export async function* scoredRowGroups(
  shard: ParquetShard,
  pool: WorkerPool,
): AsyncGenerator<ScoredRowGroup> {
  const inFlight: Promise<ScoredRowGroup>[] = [];
  const window = pool.size + 1;
  let next = 0;
  try {
    for (let yielded = 0; yielded < shard.rowGroups.length; yielded++) {
      for (; next < shard.rowGroups.length && inFlight.length < window; next++) {
        const scored = pool.run({ shardUri: shard.uri, rowGroup: next, shardVersion: shard.version });
        // Its rejection is reported when its turn comes; until then it must not count as unhandled.
        scored.catch(() => undefined);
        inFlight.push(scored);
      }
      yield await inFlight.shift()!;
    }
  } finally {
    await Promise.allSettled(inFlight);
  }
}
