import { mapConcurrently } from '../base/mapConcurrently.ts';
import { openShard } from '../parquet/openShard.ts';
import { listShards } from '../storage/listShards.ts';
import { storageFor } from '../storage/openStorage.ts';
import { type PartPlace, type Receipt, readReceipt } from './receipt.ts';
import { cutSpans, type Span } from './span.ts';

/** A partition's input as it stands, cut into spans, with what is done of it. */
export interface CutPartition {
  /** All spans, in the order of a manifest. */
  readonly spans: readonly Span[];
  /** A receipt for every span that is done, at the span's place; undefined elsewhere. */
  readonly receipts: readonly (Receipt | undefined)[];
  readonly sizeBytes: number;
}

/** Rows per part unless a run says otherwise: seconds of work, and some tens of megabytes. */
export const DEFAULT_TARGET_ROWS = 1_000_000;

/** Footers and receipts that are read at a time. */
const READS_AT_A_TIME = 16;

/**
 * Lists a partition's shards, cuts them into spans, and finds which are done. A caller that relies on the
 * pointer has read it before, so that the listing isn't older.
 * @throws StorageError INPUT_EMPTY; Ncs4cvrError of a shard whose footer can't be read
 */
export async function cutPartition(
  inputUri: string,
  place: PartPlace,
  targetRows: number,
): Promise<CutPartition> {
  const { shards } = await listShards(inputUri);
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
  };
}
