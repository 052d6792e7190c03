import { labelsOf } from '../bundle/bundleManifest.ts';
import type { ModelBundle } from '../bundle/loadBundle.ts';
import { columnRequirements, rowKeyRequirements } from '../features/columnRequirements.ts';
import { type LabelColumns, labelRequirements, readLabels, readUsers } from '../features/readLabels.ts';
import { FunnelMetrics, type FunnelReport } from '../metrics/funnelMetrics.ts';
import { checkColumns } from '../parquet/checkColumns.ts';
import { listShards } from '../storage/listShards.ts';
import { type OpenSpan, openSpans } from './openSpans.ts';
import { columnsToRead, planRequests } from './planRequests.ts';
import { type ScoredRowGroup, splitRowGroups } from './scoredRequest.ts';
import { scoredRequests } from './scoredRequests.ts';
import { scoringPool } from './workerPool.ts';

/**
 * Rows of one label up to which `evaluateInput` is exact. As measured at the limit: 110 MB held, 150 MB with every row
 * clicked, a quarter more while arrays grow and are sorted; users add about 50 bytes each per label, so 600 MB if no
 * two rows have the same one. That fits the default heap of a machine of 4 GB; four times as many rows would not.
 */
const EXACT_ROWS = 2 ** 22;

/**
 * Scores labelled shards as production would and measures the scores: click on all rows, conversion on clicked
 * rows, click-and-conversion on all rows. The first broken shard ends the evaluation: a metric over part of the
 * data would be silently wrong.
 *
 * One pass in bounded memory: every row group is measured on its own and merged in file order, and a label of more
 * than `exactRows` rows gets a binned AUC with a bound of its error, and no GAUC.
 */
export async function evaluateInput(
  inputUri: string,
  bundle: ModelBundle,
  workers: number,
  exactRows: number = EXACT_ROWS,
): Promise<FunnelReport> {
  const { contract, manifest } = bundle;
  const labels = labelsOf(bundle.uri, manifest);
  const { shards } = await listShards(inputUri);
  const extraColumns = labelRequirements(labels).map(({ column }) => column);
  const requirements = [
    ...rowKeyRequirements(contract),
    ...columnRequirements(contract),
    ...labelRequirements(labels),
  ];
  const columnsOf = ({ shard }: OpenSpan) => {
    checkColumns(shard, requirements);
    return columnsToRead(shard, contract, extraColumns);
  };
  const pool = scoringPool(bundle, workers, extraColumns);
  const metrics = new FunnelMetrics(exactRows);
  try {
    for (const { uri } of shards) {
      // A shard at a time: a request's rows have one schema, and shards may differ in the types of their labels.
      for await (const request of scoredRequests(planRequests(openSpans([{ uri }]), columnsOf), pool)) {
        for (const scored of splitRowGroups(request))
          metrics.merge(measureRowGroup(scored, labels, exactRows));
      }
    }
  } finally {
    await pool.close();
  }
  return metrics.compute();
}

/** @throws Ncs4cvrError SHARD_LABEL_INVALID, METRIC_SCORE_INVALID */
function measureRowGroup(
  { rowGroup: { uri: file, reads, rowStart }, batches, pctr, pcvr, pctcvr }: ScoredRowGroup,
  labels: LabelColumns,
  exactRows: number,
): FunnelMetrics {
  const metrics = new FunnelMetrics(exactRows);
  let at = 0;
  for (const batch of batches) {
    const end = at + batch.numRows;
    metrics.add({
      pctr: pctr.subarray(at, end),
      pcvr: pcvr.subarray(at, end),
      pctcvr: pctcvr.subarray(at, end),
      ...readLabels(batch, labels, { file, rowGroup: reads.rowGroup, rowStart: rowStart + at }),
      ...(labels.user === undefined ? {} : { users: readUsers(batch, labels.user) }),
    });
    at = end;
  }
  return metrics;
}
