import { CODE_VERSION } from '../lib/base/codeVersion.ts';
import { sha256 } from '../lib/base/digest.ts';
import { encodeJson } from '../lib/base/jsonDocument.ts';
import type { JobDocument } from '../lib/job/jobDocument.ts';
import { cutPartition } from '../lib/publish/cutPartition.ts';
import { planUri } from '../lib/publish/outputLayout.ts';
import { readPointer } from '../lib/publish/pointer.ts';
import { publishRequestSchema, workUnits } from '../lib/publish/runPlan.ts';
import { storageFor } from '../lib/storage/openStorage.ts';
import { parseS3Uri } from '../lib/storage/uri.ts';
import { choosePartitionItems } from './choosePartitionItems.ts';
import type { PartitionItem, PartitionRun, PlannedPartitionRun } from './partitionRun.ts';
import { logger, metrics } from './telemetry.ts';
import { annotate, traced } from './traced.ts';

/**
 * Plans a partition of a run, or plans it anew: lists its input as it is now, and writes the work units that are open.
 * @throws Ncs4cvrError of an input that can't be planned, such as INPUT_EMPTY
 */
export function planPartitionRun(run: PartitionRun, job: JobDocument): Promise<PlannedPartitionRun> {
  const { partition } = run.item;
  return traced('plan partition', { partition }, async () => {
    const item = await currentItem(run, job);
    annotate('model', item.model.version);
    const { units, unitCount, basedOnGeneration } = await planPartition(item);
    const attempt = run.attempt + 1;
    metrics.addMetric('unitsPlanned', 'Count', unitCount);
    logger.info(`planned ${partition}`, { model: item.model.version, units: unitCount, attempt });
    return { ...run, item: { ...item, basedOnGeneration }, attempt, units, unitCount, isPlanned: true };
  });
}

/** A run may have published another model since an arrival was chosen: what landed is then scored with that one. */
async function currentItem(
  { item, attempt, arrival }: PartitionRun,
  job: JobDocument,
): Promise<PartitionItem> {
  if (arrival === undefined || attempt === 0) return item;
  const { items } = await choosePartitionItems(job, { arrival }, Date.now());
  return items[0]!;
}

async function planPartition(item: PartitionItem) {
  const { root, partition, model, inputUri, targetRows } = item;
  // Before the listing, so that the listing isn't older.
  const { pointer } = await readPointer(root, partition);
  const basedOnGeneration = item.basedOnGeneration ?? pointer?.generation ?? 0;
  const { spans, receipts, sizeBytes, ignored } = await cutPartition(
    inputUri,
    { root, partition, model },
    targetRows,
  );
  if (ignored.length > 0) {
    const names = { count: ignored.length, ignored: ignored.slice(0, LOGGED) };
    logger.warn('files that are no shards were passed over', names);
  }
  const done = receipts.flatMap((receipt, index) => (receipt === undefined ? [] : [index]));
  const planned = { partition, inputUri, basedOnGeneration, sizeBytes, spans: [...spans], done };
  const settings = publishRequestSchema.parse({ ...item, basedOnGeneration });
  const units = workUnits({ ...settings, codeVersion: CODE_VERSION, partitions: [planned] });
  const bytes = encodeJson(units);
  const uri = planUri(root, `${sha256(bytes)}.units`);
  await storageFor(uri).createIfAbsent(uri, bytes);
  return { units: parseS3Uri(uri), unitCount: units.length, basedOnGeneration };
}

/** Names in one record, whose size CloudWatch limits. */
const LOGGED = 100;
