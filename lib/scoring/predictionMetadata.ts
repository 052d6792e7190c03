import { modelFileOf } from '../bundle/bundleManifest.ts';
import type { ModelBundle } from '../bundle/loadBundle.ts';
import type { ParquetShard } from '../parquet/openShard.ts';
import type { RowGroupRange } from './scoredRowGroups.ts';

/** Prefix of every key this project writes into a prediction file's schema metadata. */
const METADATA_PREFIX = 'ncs4cvr.';

/**
 * Which model scored which bytes: enough to tell, from the file alone, whether it must be scored again. Which code it was
 * isn't said: the same input and model give the same bytes.
 */
export function predictionMetadata(
  { manifest }: ModelBundle,
  shard: ParquetShard,
  { first, end }: RowGroupRange,
): ReadonlyMap<string, string> {
  const rowCount = shard.rowGroups.slice(first, end).reduce((sum, group) => sum + group.rowCount, 0);
  const entries = {
    model_version: manifest.modelVersion,
    model_sha256: modelFileOf(manifest).sha256,
    contract_fingerprint: manifest.contractFingerprint,
    input_uri: shard.uri,
    input_size_bytes: String(shard.sizeBytes),
    input_version: shard.version,
    row_groups: end <= first ? 'none' : `${first}-${end - 1}`,
    row_count: String(rowCount),
  };
  return new Map(Object.entries(entries).map(([key, value]) => [METADATA_PREFIX + key, value]));
}
