import { StorageError } from '../base/errors.ts';
import { listShards, type ShardInput, withoutShardEnding } from '../storage/listShards.ts';
import { storageFor } from '../storage/openStorage.ts';
import { fileKey, joinUri } from '../storage/uri.ts';

export interface AssignedShard {
  readonly inputUri: string;
  readonly outputUri: string;
  readonly sizeBytes: number;
}

interface AssignedOutputs {
  readonly shards: readonly AssignedShard[];
  /** Files that are no shards by their name, such as a README beside the data. */
  readonly ignored: readonly string[];
  /** What a listing has found and can't look at: links that lead nowhere, folders that can't be read. */
  readonly unlistable: readonly { readonly inputUri: string; readonly error: StorageError }[];
}

/**
 * Pairs every shard with its prediction file: the same relative path below the output folder, ending in .arrow.
 * A single input file may also be given an output that ends in .arrow itself.
 * @throws StorageError OUTPUT_CLASH when two shards would be written to one file, or a shard over itself;
 * STORAGE_SCHEME_UNSUPPORTED, STORAGE_URI_INVALID for an output that can't be written to
 */
export async function assignOutputs(input: ShardInput, outputUri: string): Promise<AssignedOutputs> {
  // Once, not a shard at a time.
  storageFor(outputUri);
  const unlistable: { inputUri: string; error: StorageError }[] = [];
  const onUnlistable = (inputUri: string, error: StorageError) => unlistable.push({ inputUri, error });
  const { shards, ignored } = await listShards(input, undefined, onUnlistable).catch((error: unknown) => {
    // Each of them says more than that there is no shard.
    const isEmpty = error instanceof StorageError && error.code === 'INPUT_EMPTY';
    if (isEmpty && unlistable.length > 0) return { shards: [], ignored: [] };
    throw error;
  });
  const isSingleOutput = shards.length === 1 && outputUri.endsWith('.arrow');
  const planned = shards.map(({ uri, relativePath, sizeBytes }) => ({
    inputUri: uri,
    outputUri: isSingleOutput ? outputUri : joinUri(outputUri, `${withoutShardEnding(relativePath)}.arrow`),
    sizeBytes,
  }));
  // Inputs are taken names too: a shard that is called x.arrow must not be replaced by its own scores.
  const takenBy = new Map(planned.map(({ inputUri }) => [fileKey(inputUri), inputUri]));
  for (const shard of planned) {
    const key = fileKey(shard.outputUri);
    const other = takenBy.get(key);
    if (other !== undefined) {
      throw new StorageError('OUTPUT_CLASH', 'two shards, or a shard and its scores, would be one file', {
        file: shard.outputUri,
        expected: 'a name of its own for every file',
        found: `${other} and the scores of ${shard.inputUri}`,
      });
    }
    takenBy.set(key, shard.inputUri);
  }
  return { shards: planned, ignored, unlistable };
}
