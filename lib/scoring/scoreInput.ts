import { StorageError } from '../base/errors.ts';
import { mapConcurrently } from '../base/mapConcurrently.ts';
import type { ModelBundle } from '../bundle/loadBundle.ts';
import { addProfiles, emptyProfile } from '../profile/addProfiles.ts';
import type { PartProfile } from '../profile/partProfile.ts';
import type { ShardInput } from '../storage/listShards.ts';
import { isReplacedFile } from '../storage/storage.ts';
import { type AssignedShard, assignOutputs } from './assignOutputs.ts';
import { type FeatureDrift, featureDrift } from './featureDrift.ts';
import { type ScoredShard, scoreShard } from './scoreShard.ts';
import { scoringPool } from './workerPool.ts';

export interface ScoringProgress {
  readonly rows: number;
  readonly shardsDone: number;
  readonly shardCount: number;
  /** Share of the input's bytes that are done, in [0, 1]. */
  readonly fractionDone: number;
}

/** When a shard was worked on, in seconds since the call. */
interface ShardTime {
  readonly inputUri: string;
  readonly startSeconds: number;
  readonly seconds: number;
}

export interface ScoringReport {
  readonly rows: number;
  readonly seconds: number;
  readonly shards: readonly ScoredShard[];
  /**
   * What could not be listed, then shards that could not be scored, in the order of the input; no output of theirs was
   * written.
   */
  readonly failures: readonly { readonly inputUri: string; readonly error: unknown }[];
  /** Of every shard that was tried, in the order in which they ended. */
  readonly times: readonly ShardTime[];
  /** Shards that weren't tried, since the disk was full by then. */
  readonly notStarted: readonly string[];
  readonly ignored: readonly string[];
  /** Of the shards that were scored. */
  readonly profile: PartProfile;
  readonly drift: readonly FeatureDrift[];
}

export interface ScoringOptions {
  readonly workers: number;
  readonly onProgress?: (progress: ScoringProgress) => void;
}

/**
 * Scores every shard at a URI or of a list into Arrow files. A broken shard, and what can't be listed, is reported and the
 * others go on; once the disk is full, no further one is started.
 * @throws StorageError when the input can't be listed or the output's URI can't be used; never for a single shard
 */
export async function scoreInput(
  input: ShardInput,
  outputUri: string,
  bundle: ModelBundle,
  { workers, onProgress }: ScoringOptions,
): Promise<ScoringReport> {
  const startMillis = performance.now();
  const assigned = await assignOutputs(input, outputUri);
  const totalBytes = assigned.shards.reduce((sum, shard) => sum + shard.sizeBytes, 0);
  const pool = scoringPool(bundle, workers);
  const scored: ScoredShard[] = [];
  const failures: { inputUri: string; error: unknown }[] = [];
  const notStarted: { inputUri: string }[] = [];
  const times: ShardTime[] = [];
  const secondsSoFar = () => (performance.now() - startMillis) / 1000;
  let isFull = false;
  let rows = 0;
  let bytesDone = 0;
  const report = () =>
    onProgress?.({
      rows,
      shardsDone: scored.length + failures.length,
      shardCount: assigned.shards.length,
      fractionDone: totalBytes === 0 ? 1 : bytesDone / totalBytes,
    });
  const scoreOne = async (shard: AssignedShard) => {
    if (isFull) {
      notStarted.push(shard);
      return;
    }
    const startSeconds = secondsSoFar();
    let doneRows = 0;
    let doneShare = 0;
    try {
      const score = () =>
        scoreShard(shard.inputUri, shard.outputUri, bundle, pool, {
          onRows: (count, share) => {
            rows += count;
            doneRows += count;
            doneShare += share;
            bytesDone += share * shard.sizeBytes;
            report();
          },
        });
      scored.push(
        await score().catch((error: unknown) => {
          // A writer may just have finished it: it is read again from the start, once.
          if (!isReplacedFile(error)) throw error;
          rows -= doneRows;
          bytesDone -= doneShare * shard.sizeBytes;
          doneShare = 0;
          return score();
        }),
      );
    } catch (error) {
      failures.push({ inputUri: shard.inputUri, error });
      isFull ||= error instanceof StorageError && error.code === 'STORAGE_FULL';
    }
    times.push({ inputUri: shard.inputUri, startSeconds, seconds: secondsSoFar() - startSeconds });
    bytesDone += (1 - doneShare) * shard.sizeBytes;
    report();
  };
  try {
    // As many shards as threads: shards of a single row group keep all of them busy this way.
    await mapConcurrently(assigned.shards, workers, scoreOne);
  } finally {
    await pool.close();
  }
  const profile = scored.reduce(
    (sum, shard) => addProfiles(sum, shard.profile),
    emptyProfile(bundle.layout, bundle.reference),
  );
  const { features, trainRows, validationRows } = bundle.manifest.training;
  return {
    rows: profile.rows,
    seconds: secondsSoFar(),
    shards: inOrder(assigned.shards, scored),
    times,
    failures: [...assigned.unlistable, ...inOrder(assigned.shards, failures)],
    notStarted: inOrder(assigned.shards, notStarted).map(({ inputUri }) => inputUri),
    ignored: assigned.ignored,
    profile,
    drift: featureDrift(profile, { rows: trainRows + validationRows, features }),
  };
}

/** Shards end in any order; a report has the order of the input. */
function inOrder<Entry extends { readonly inputUri: string }>(
  shards: readonly AssignedShard[],
  entries: Entry[],
): Entry[] {
  const positions = new Map(shards.map(({ inputUri }, index) => [inputUri, index]));
  return entries.sort((a, b) => positions.get(a.inputUri)! - positions.get(b.inputUri)!);
}
