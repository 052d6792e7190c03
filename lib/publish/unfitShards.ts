import { mapConcurrently } from '../base/mapConcurrently.ts';
import type { ModelBundle } from '../bundle/loadBundle.ts';
import { withShard } from '../parquet/openShard.ts';
import { refuseUnfit } from '../scoring/spanCheck.ts';
import { type BrokenShard, brokenShardOf, isBrokenShard } from './brokenShard.ts';
import { shardUri, type wholeShards } from './span.ts';

const FOOTERS_AT_A_TIME = 8;

/**
 * Which of these shards a contract can't be read from: by their footers and paths, so that what lies in their pages isn't seen.
 * Those that can't be looked at now, or are another version meanwhile, aren't named.
 */
export async function unfitShards(
  shards: ReturnType<typeof wholeShards>,
  inputUri: string,
  contract: ModelBundle['contract'],
): Promise<BrokenShard[]> {
  const found = await mapConcurrently(shards, FOOTERS_AT_A_TIME, async (named): Promise<BrokenShard[]> => {
    const uri = shardUri(inputUri, named.shard);
    const { version, sizeBytes } = named;
    try {
      await withShard(uri, { version, sizeBytes }, (shard) => refuseUnfit(shard, contract));
      return [];
    } catch (error) {
      return isBrokenShard(error, uri) ? [brokenShardOf(error, named)] : [];
    }
  });
  return found.flat();
}
