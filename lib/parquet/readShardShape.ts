import { messageOf, Ncs4cvrError } from '../base/errors.ts';
import { storageFor } from '../storage/openStorage.ts';
import type { FileStat } from '../storage/storage.ts';
import { footerRowCounts } from './footerRowCounts.ts';
import { readFooterBytes } from './readFooter.ts';

/** What a plan needs to know of a shard. */
export interface ShardShape extends FileStat {
  /** Of the row groups, in file order. */
  readonly rowCounts: readonly number[];
}

/**
 * Reads how many rows a shard's row groups have: one request where the version is known, two otherwise, and one more for a footer
 * above 64 KiB. Whether the shard can be scored shows when it is opened.
 * @param known version and size as a listing gives them
 * @throws Ncs4cvrError SHARD_NOT_PARQUET, SHARD_TRUNCATED, SHARD_ENCRYPTED, SHARD_FOOTER_INVALID; StorageError, among them
 * STORAGE_FILE_CHANGED when the shard isn't the known version
 */
export async function readShardShape(uri: string, known?: FileStat): Promise<ShardShape> {
  const file = await storageFor(uri).open(uri, known);
  try {
    const { footer } = await readFooterBytes(file);
    const { sizeBytes, version } = file;
    try {
      return { sizeBytes, version, rowCounts: footerRowCounts(footer) };
    } catch (cause) {
      throw new Ncs4cvrError('SHARD_FOOTER_INVALID', 'the footer cannot be parsed', {
        file: uri,
        found: messageOf(cause),
        cause,
      });
    }
  } finally {
    await file.close();
  }
}
