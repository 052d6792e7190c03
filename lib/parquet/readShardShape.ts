import { messageOf, Ncs4cvrError } from '../base/errors.ts';
import { storageFor } from '../storage/openStorage.ts';
import type { FileStat } from '../storage/storage.ts';
import { footerRowCounts } from './footerRowCounts.ts';
import { FOOTER_READ_BYTES, readFooterBytes } from './readFooter.ts';

/** What a plan needs to know of a shard. */
export interface ShardShape extends FileStat {
  /** Of the row groups, in file order. */
  readonly rowCounts: readonly number[];
}

/** Not in use: shards come by the thousand, and new memory for each would have to be cleared before it is read into. */
const buffers: Uint8Array[] = [];
const MOST_BUFFERS = 64;

/**
 * Reads how many rows a shard's row groups have: one request where the version is known, two otherwise, and one more for a footer
 * above 64 KiB. Whether the shard can be scored shows when it is opened.
 * @param known version and size as a listing gives them
 * @throws Ncs4cvrError SHARD_NOT_PARQUET, SHARD_TRUNCATED, SHARD_ENCRYPTED, SHARD_FOOTER_INVALID; StorageError, among them
 * STORAGE_FILE_CHANGED when the shard isn't the known version
 */
export async function readShardShape(uri: string, known?: FileStat): Promise<ShardShape> {
  const file = await storageFor(uri).open(uri, known);
  const into = buffers.pop() ?? new Uint8Array(FOOTER_READ_BYTES);
  try {
    const { footer } = await readFooterBytes(file, { into });
    const { sizeBytes, version } = file;
    try {
      const rowCounts = footerRowCounts(footer);
      // Not after a failure: a read that was given up may still be writing.
      if (buffers.length < MOST_BUFFERS) buffers.push(into);
      return { sizeBytes, version, rowCounts };
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
