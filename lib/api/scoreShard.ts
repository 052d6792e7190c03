import { availableParallelism } from 'node:os';
import { loadBundle, type ModelBundle } from '../bundle/loadBundle.ts';
import { scoreInput } from '../scoring/scoreInput.ts';
import { type ScoredShard, scoreShard as scoreWithPool } from '../scoring/scoreShard.ts';
import { scoringPool } from '../scoring/workerPool.ts';
import { storageFor } from '../storage/openStorage.ts';

/** Threads of a call. */
export interface WorkerOptions {
  /** Scoring threads; one per core by default. */
  readonly workers?: number;
}

/**
 * Loads a model bundle and verifies all of it: sizes, checksums, interface, and the scores of its golden rows.
 * @param uri a folder on disk or `s3://bucket/prefix`
 * @throws Ncs4cvrError BUNDLE_*: it was damaged, or scores differently here; StorageError when it can't be read
 */
export function openBundle(uri: string): Promise<ModelBundle> {
  return loadBundle(storageFor(uri), uri);
}

/**
 * Scores one Parquet shard into one Arrow IPC file: the contract's row keys, then `pctr`, `pcvr` and `pctcvr` (float32, in
 * [0, 1]), one row per row of the shard in its order. The file is there whole or not at all.
 * @param inputUri a path or `s3://` URI
 * @param outputUri file to write; one that is there is replaced
 * @throws Ncs4cvrError SHARD_*, CONTRACT_*: what is wrong with the shard, with its row group and column; StorageError
 */
export async function scoreShard(
  inputUri: string,
  outputUri: string,
  bundle: ModelBundle,
  { workers = availableParallelism() }: WorkerOptions = {},
): Promise<ScoredShard> {
  const pool = scoringPool(bundle, workers);
  try {
    return await scoreWithPool(inputUri, outputUri, bundle, pool);
  } finally {
    await pool.close();
  }
}

/**
 * Scores every shard at a URI into a folder of Arrow files, as `ncs4cvr score` does. A broken shard is one of the report's
 * failures, and the others go on.
 * @throws StorageError when the input can't be listed
 */
export function scoreShards(
  inputUri: string,
  outputUri: string,
  bundle: ModelBundle,
  { workers = availableParallelism() }: WorkerOptions = {},
) {
  return scoreInput(inputUri, outputUri, bundle, { workers });
}
