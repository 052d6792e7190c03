import { modelFileOf } from '../bundle/bundleManifest.ts';
import type { ModelBundle } from '../bundle/loadBundle.ts';
import type { ParquetShard } from '../parquet/openShard.ts';
import type { RowGroupRange } from './openSpans.ts';

/** Prefix of every key this project writes into a prediction file's schema metadata. */
const METADATA_PREFIX = 'ncs4cvr.';

/**
 * Which model scored which bytes: enough to tell, from the file alone, whether it must be scored again. Which code it was
 * isn't said: the same input and model give the same bytes.
 */
export function predictionMetadata(
  bundle: ModelBundle,
  shard: ParquetShard,
  { first, end }: RowGroupRange,
): ReadonlyMap<string, string> {
  const rowCount = shard.rowGroups.slice(first, end).reduce((sum, group) => sum + group.rowCount, 0);
  return prefixed({
    ...modelEntries(bundle),
    input_uri: shard.uri,
    input_size_bytes: String(shard.sizeBytes),
    input_version: shard.version,
    row_groups: end <= first ? 'none' : `${first}-${end - 1}`,
    row_count: String(rowCount),
  });
}

/**
 * Of a file of several spans. Inputs are counted and not named, so that the same shards elsewhere give the same bytes.
 * @param counts of all spans, also in a file that stops before their end: files that are to be joined say the same
 */
export function partMetadata(
  bundle: ModelBundle,
  { inputCount, rowCount }: { readonly inputCount: number; readonly rowCount: number },
): ReadonlyMap<string, string> {
  return prefixed({
    ...modelEntries(bundle),
    input_count: String(inputCount),
    row_count: String(rowCount),
  });
}

function modelEntries({ manifest }: ModelBundle): Readonly<Record<string, string>> {
  return {
    model_version: manifest.modelVersion,
    model_sha256: modelFileOf(manifest).sha256,
    contract_fingerprint: manifest.contractFingerprint,
  };
}

function prefixed(entries: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  return new Map(Object.entries(entries).map(([key, value]) => [METADATA_PREFIX + key, value]));
}
