import { tableFromIPC } from 'apache-arrow';
import type { ModelBundle } from '../bundle/loadBundle.ts';
import { columnRequirements, rowKeyRequirements } from '../features/columnRequirements.ts';
import { labelRequirements, readLabels, readUsers } from '../features/readLabels.ts';
import { FunnelMetrics, type FunnelReport } from '../metrics/funnelMetrics.ts';
import { checkColumns } from '../parquet/checkColumns.ts';
import { openShard } from '../parquet/openShard.ts';
import { listShards } from '../storage/listShards.ts';
import { storageFor } from '../storage/openStorage.ts';
import { scoredRowGroups } from './scoredRowGroups.ts';
import { scoringPool } from './scoringPool.ts';

/**
 * Scores labelled shards as production would and measures the scores: click on all rows, conversion on clicked
 * rows, click-and-conversion on all rows. The first broken shard ends the evaluation: a metric over part of the
 * data would be silently wrong.
 */
export async function evaluateInput(
  inputUri: string,
  bundle: ModelBundle,
  workers: number,
): Promise<FunnelReport> {
  const { contract, manifest } = bundle;
  const { labels } = manifest;
  const { shards } = await listShards(inputUri);
  const extraColumns = labelRequirements(labels).map(({ column }) => column);
  const pool = scoringPool(bundle, workers, extraColumns);
  const metrics = new FunnelMetrics();
  try {
    for (const { uri } of shards) {
      const file = await storageFor(uri).open(uri);
      try {
        const shard = await openShard(file);
        checkColumns(shard, [
          ...rowKeyRequirements(contract),
          ...columnRequirements(contract),
          ...labelRequirements(labels),
        ]);
        for await (const scored of scoredRowGroups(shard, pool)) {
          const { rowGroup } = scored;
          const { rowStart } = shard.rowGroups[rowGroup]!;
          let at = 0;
          for (const batch of tableFromIPC(scored.columnsIpc).batches) {
            const end = at + batch.numRows;
            metrics.add({
              pctr: scored.pctr.subarray(at, end),
              pcvr: scored.pcvr.subarray(at, end),
              pctcvr: scored.pctcvr.subarray(at, end),
              ...readLabels(batch, labels, { file: uri, rowGroup, rowStart: rowStart + at }),
              ...(labels.user === undefined ? {} : { users: readUsers(batch, labels.user) }),
            });
            at = end;
          }
        }
      } finally {
        await file.close();
      }
    }
  } finally {
    await pool.close();
  }
  return metrics.compute();
}
