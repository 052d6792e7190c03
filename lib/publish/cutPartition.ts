import { Ncs4cvrError } from '../base/errors.ts';
import { mapConcurrently } from '../base/mapConcurrently.ts';
import { openShard } from '../parquet/openShard.ts';
import { listShards } from '../storage/listShards.ts';
import { storageFor } from '../storage/openStorage.ts';
import type { ListedFile } from '../storage/storage.ts';
import { type PartPlace, type Receipt, readReceipt } from './receipt.ts';
import { cutSpans, type Span } from './span.ts';

/** A partition's input as it stands, cut into spans, with what is done of it. */
export interface CutPartition {
  /** All spans, in the order of a manifest. */
  readonly spans: readonly Span[];
  /** A receipt for every span that is done, at the span's place; undefined elsewhere. */
  readonly receipts: readonly (Receipt | undefined)[];
  readonly sizeBytes: number;
  /** URIs of the files that are no shards. */
  readonly ignored: readonly string[];
}

/** A folder of another partition key. */
const KEY_FOLDER = /^[^=]+=/;

/** Footers and receipts that are read at a time. */
const READS_AT_A_TIME = 16;

/**
 * Lists a partition's shards, cuts them into spans, and finds which are done. A caller that relies on the
 * pointer has read it before, so that the listing isn't older.
 * @throws StorageError INPUT_EMPTY, INPUT_IS_TABLE; Ncs4cvrError PLAN_NESTED_PARTITION, or of a shard whose footer can't be read
 */
export async function cutPartition(
  inputUri: string,
  place: PartPlace,
  targetRows: number,
): Promise<CutPartition> {
  const { shards, ignored } = await listShards(inputUri);
  refuseNested(inputUri, shards);
  const spans = (
    await mapConcurrently(shards, READS_AT_A_TIME, async ({ uri }) => {
      const file = await storageFor(uri).open(uri);
      try {
        const { rowGroups } = await openShard(file);
        const counts = rowGroups.map(({ rowCount }) => rowCount);
        // The version that was read: a listing may be a moment older than the footer.
        return cutSpans(uri, file.version, counts, targetRows);
      } finally {
        await file.close();
      }
    })
  ).flat();
  return {
    spans,
    receipts: await mapConcurrently(spans, READS_AT_A_TIME, (span) => readReceipt(span, place)),
    sizeBytes: shards.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    ignored,
  };
}

/**
 * Refuses a partition that holds another one: `a.parquet` beside `hour=01/a.parquet`. The inner one may be written, and
 * published, as a partition of its own, or be a copy of the outer one's rows; either way rows would count twice. A
 * partition whose shards all lie in such folders is a day of hours.
 */
function refuseNested(inputUri: string, shards: readonly ListedFile[]): void {
  const keysOf = ({ relativePath }: ListedFile) =>
    relativePath
      .split('/')
      .slice(0, -1)
      .filter((folder) => KEY_FOLDER.test(folder));
  const shardIn = new Map(shards.map((shard) => [keysOf(shard).join('/'), shard.relativePath]));
  for (const shard of shards) {
    const keys = keysOf(shard);
    for (let depth = 0; depth < keys.length; depth++) {
      const outer = shardIn.get(keys.slice(0, depth).join('/'));
      if (outer === undefined) continue;
      throw new Ncs4cvrError(
        'PLAN_NESTED_PARTITION',
        'a partition lies in another; rows would be published twice',
        {
          file: inputUri,
          expected: 'all shards directly in the partition, or all in folders such as hour=01/',
          found: `${outer} beside ${shard.relativePath}`,
        },
      );
    }
  }
}
