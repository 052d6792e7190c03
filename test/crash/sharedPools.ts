import type * as Pools from '../../lib/scoring/workerPool.ts';

const pools = new Map<string, { readonly pool: Pools.WorkerPool; readonly close: () => Promise<void> }>();

/** The module with pools that are started once for each bundle, and end with the tests. */
export function sharePools(real: typeof Pools): typeof Pools {
  return {
    ...real,
    scoringPool(bundle, workers, extraColumns = []) {
      const key = `${bundle.uri} ${workers} ${extraColumns.join()}`;
      const known = pools.get(key);
      if (known !== undefined) return known.pool;
      const pool = real.scoringPool(bundle, workers, extraColumns);
      const close = pool.close.bind(pool);
      pool.close = async () => undefined;
      pools.set(key, { pool, close });
      return pool;
    },
  };
}

export async function closeSharedPools(): Promise<void> {
  for (const { close } of pools.values()) await close();
  pools.clear();
}
