import type { ModelBundle } from '../model/loadBundle.ts';
import { scoreShard } from '../scoring/scoreShard.ts';
import type { WorkerPool } from '../scoring/workerPool.ts';
import { modelIdentity } from './modelIdentity.ts';
import { partUri } from './outputLayout.ts';
import { type PartSpec, partIdOf } from './partSpec.ts';
import { type Receipt, readReceipt, writeReceipt } from './receipt.ts';

/**
 * Scores one span into its part and writes the receipt; what is done already, by whomever, is left as it is. May be
 * killed at any point and called again, by several at a time.
 * @throws StorageError STORAGE_FILE_CHANGED when the input isn't the planned version any more
 */
export async function scorePart(
  spec: PartSpec,
  root: string,
  partition: string,
  bundle: ModelBundle,
  pool: WorkerPool,
): Promise<{ readonly receipt: Receipt; readonly wasDone: boolean }> {
  const place = { root, partition, model: modelIdentity(bundle) };
  const done = await readReceipt(spec, place);
  if (done !== undefined) return { receipt: done, wasDone: true };
  const uri = partUri(root, partition, partIdOf(spec, place.model));
  await scoreShard(spec.inputUri, uri, bundle, pool, {
    rowGroups: { first: spec.firstRowGroup, end: spec.endRowGroup },
    inputVersion: spec.inputVersion,
    ifAbsent: true,
  });
  return { receipt: await writeReceipt(spec, place, bundle.contract.rowKeys), wasDone: false };
}
