import { StorageError } from '../base/errors.ts';
import { storageFor } from './openStorage.ts';
import { isHidden, type ListedFile } from './storage.ts';

/**
 * In any case. The bucket's notifications (infra/buckets.yml) are filtered by the same endings.
 * @internal exported for tests: the bucket's filters are compared with them
 */
export const SHARD_ENDINGS = ['.parquet', '.parq', '.pq'] as const;

/**
 * Whether a file within an input folder counts as a shard by its name. What is hidden doesn't, such as the files that other
 * engines haven't committed yet (`_temporary/`).
 * @param relativePath below the input folder, with forward slashes
 */
export function isShard(relativePath: string): boolean {
  return endingOf(relativePath) !== undefined && !relativePath.split('/').some(isHidden);
}

/** A shard's path without the ending that makes it one; other paths stay. */
export function withoutShardEnding(path: string): string {
  return path.slice(0, path.length - (endingOf(path)?.length ?? 0));
}

function endingOf(path: string): string | undefined {
  const name = path.toLowerCase();
  return SHARD_ENDINGS.find((ending) => name.endsWith(ending));
}

/**
 * Shards at a URI: the file itself, whatever its name, or every Parquet file below a folder or partition.
 * @throws StorageError INPUT_EMPTY when a folder holds no shard
 */
export async function listShards(
  inputUri: string,
): Promise<{ readonly shards: readonly ListedFile[]; readonly ignored: readonly string[] }> {
  const files = await storageFor(inputUri).list(inputUri);
  if (files.length === 1 && files[0]!.uri === inputUri) return { shards: files, ignored: [] };
  const shards = files.filter((file) => isShard(file.relativePath));
  if (shards.length === 0) {
    throw new StorageError('INPUT_EMPTY', 'there is no shard to read', {
      file: inputUri,
      expected: 'at least one .parquet file',
      found:
        files.length === 0
          ? 'no file'
          : files
              .map((file) => file.relativePath)
              .slice(0, 5)
              .join(', '),
    });
  }
  return {
    shards,
    ignored: files.filter((file) => !isShard(file.relativePath)).map((file) => file.uri),
  };
}
