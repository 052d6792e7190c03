import { StorageError } from '../base/errors.ts';
import type { ModelBundle } from '../bundle/loadBundle.ts';
import { storageFor } from '../storage/openStorage.ts';
import type { FileStat } from '../storage/storage.ts';
import type { RowGroupRange } from './openSpans.ts';
import { predictionMetadata } from './predictionMetadata.ts';
import { type ScoredFile, scoreSpans } from './scoreSpans.ts';
import type { WorkerPool } from './workerPool.ts';

export interface ScoredShard extends ScoredFile {
  readonly inputUri: string;
  readonly outputUri: string;
}

export interface ScoreShardOptions {
  /** All row groups by default. */
  readonly rowGroups?: RowGroupRange;
  /** The version that the work was planned for; any by default. */
  readonly inputVersion?: string;
  /** Leave an output that is there as it is. */
  readonly ifAbsent?: boolean;
  /** Called with every scored row group: its rows, and their share of all. */
  readonly onRows?: (rowCount: number, share: number) => void;
}

/**
 * Scores one shard, or a range of its row groups, into a file that says which shard it was.
 * @throws StorageError STORAGE_FILE_CHANGED when the input has another version than planned; as scoreSpans
 */
export async function scoreShard(
  inputUri: string,
  outputUri: string,
  bundle: ModelBundle,
  pool: WorkerPool,
  { rowGroups, inputVersion, ifAbsent = false, onRows }: ScoreShardOptions = {},
): Promise<ScoredShard> {
  const known = inputVersion === undefined ? undefined : await planned(inputUri, inputVersion);
  const span = {
    uri: inputUri,
    ...(known === undefined ? {} : { known }),
    ...(rowGroups === undefined ? {} : { rowGroups }),
  };
  const scored = await scoreSpans([span], outputUri, bundle, pool, {
    metadata: ({ shard, range }) => predictionMetadata(bundle, shard, range),
    ifAbsent,
    onRows: (rowCount, spanRows) => onRows?.(rowCount, rowCount / spanRows),
  });
  return { inputUri, outputUri, ...scored };
}

async function planned(uri: string, version: string): Promise<FileStat> {
  const found = await storageFor(uri).stat(uri);
  if (found?.version === version) return found;
  if (found === undefined) {
    throw new StorageError('STORAGE_NOT_FOUND', 'the shard is gone', { file: uri });
  }
  throw new StorageError('STORAGE_FILE_CHANGED', 'the shard was replaced after the work was planned', {
    file: uri,
    expected: `version ${version}`,
    found: found.version,
  });
}
