import { StorageError } from '../base/errors.ts';
import { storageFor } from './openStorage.ts';
import type { ListedFile } from './storage.ts';

/** File names that count as Parquet shards within a folder. */
export const SHARD_NAME = /\.(parquet|parq|pq)$/i;

/**
 * Shards at a URI: the file itself, whatever its name, or every Parquet file below a folder or partition.
 * @throws StorageError INPUT_EMPTY when a folder holds no shard
 */
export async function listShards(
  inputUri: string,
): Promise<{ readonly shards: readonly ListedFile[]; readonly ignored: readonly string[] }> {
  const files = await storageFor(inputUri).list(inputUri);
  if (files.length === 1 && files[0]!.uri === inputUri) return { shards: files, ignored: [] };
  const shards = files.filter((file) => SHARD_NAME.test(file.relativePath));
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
    ignored: files.filter((file) => !SHARD_NAME.test(file.relativePath)).map((file) => file.uri),
  };
}
