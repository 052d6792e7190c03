import { StorageError } from '../errors.ts';
import { listShards, SHARD_NAME } from '../storage/listShards.ts';
import { joinUri } from '../storage/uri.ts';

export interface PlannedShard {
  readonly inputUri: string;
  readonly outputUri: string;
  readonly sizeBytes: number;
}

export interface ScoringPlan {
  readonly shards: readonly PlannedShard[];
  /** Files that are no shards by their name, such as a README beside the data. */
  readonly ignored: readonly string[];
}

/**
 * Pairs every shard with its prediction file: the same relative path below the output folder, ending in .arrow.
 * A single input file may also be given an output that ends in .arrow itself.
 * @throws StorageError OUTPUT_CLASH when two shards would be written to one file, or a shard over itself
 */
export async function planScoring(inputUri: string, outputUri: string): Promise<ScoringPlan> {
  const { shards, ignored } = await listShards(inputUri);
  const isSingleOutput = shards.length === 1 && outputUri.endsWith('.arrow');
  const planned = shards.map(({ uri, relativePath, sizeBytes }) => ({
    inputUri: uri,
    outputUri: isSingleOutput
      ? outputUri
      : joinUri(outputUri, `${relativePath.replace(SHARD_NAME, '')}.arrow`),
    sizeBytes,
  }));
  // Inputs are taken names too: a shard that is called x.arrow must not be replaced by its own scores.
  const byOutput = new Map(planned.map(({ inputUri }) => [inputUri, inputUri]));
  for (const shard of planned) {
    const other = byOutput.get(shard.outputUri);
    if (other !== undefined) {
      throw new StorageError('OUTPUT_CLASH', 'two shards, or a shard and its scores, would be one file', {
        file: shard.outputUri,
        expected: 'a name of its own for every file',
        found: `${other} and the scores of ${shard.inputUri}`,
      });
    }
    byOutput.set(shard.outputUri, shard.inputUri);
  }
  return { shards: planned, ignored };
}
