import { mapConcurrently } from '../base/mapConcurrently.ts';
import type { ModelBundle } from '../bundle/loadBundle.ts';
import { withShard } from '../parquet/openShard.ts';
import { refuseUnfit } from '../scoring/spanCheck.ts';
import { type BrokenNote, brokenNoteOf, isBrokenShard } from './brokenShard.ts';
import { type Span, shardUri } from './span.ts';

const FOOTERS_AT_A_TIME = 8;

/**
 * Which of these shards a contract can't be read from: by their footers and paths, so that what lies in their pages isn't seen.
 * Those that can't be looked at now, or are another version meanwhile, aren't named.
 */
export async function unfitShards(
  shards: readonly Pick<Span, 'shard' | 'version' | 'sizeBytes'>[],
  inputUri: string,
  contract: ModelBundle['contract'],
): Promise<BrokenNote[]> {
  const found = await mapConcurrently(shards, FOOTERS_AT_A_TIME, async (named): Promise<BrokenNote[]> => {
    const { shard, version, sizeBytes } = named;
    const uri = shardUri(inputUri, shard);
    try {
      await withShard(uri, { version, sizeBytes }, (opened) => refuseUnfit(opened, contract));
      return [];
    } catch (error) {
      return isBrokenShard(error, uri) ? [brokenNoteOf(error, named)] : [];
    }
  });
  return found.flat();
}
