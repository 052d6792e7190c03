import { mapConcurrently } from '../base/mapConcurrently.ts';
import { confirmRepeats, type RepeatedKey } from './confirmRepeats.ts';
import { FingerprintBucket, type Suspect } from './fingerprintBucket.ts';
import { type FingerprintFile, readsOfFingerprints } from './fingerprintFile.ts';
import { type KeyedPart, openFingerprints } from './openFingerprints.ts';

export interface RepeatedKeys {
  /** Of all parts. */
  readonly rows: number;
  /** Rows whose key a row before has too, in the order of the parts. */
  readonly repeatedRows: number;
  /**
   * Whether the keys of all rows with equal fingerprints were read and compared. Where they are too many, a sample of them
   * was, and `repeatedRows` counts equal fingerprints: too many by one row in 3,700 partitions of 100 million rows.
   */
  readonly isConfirmed: boolean;
  /** Up to five, whose keys were read; any five, since they are the first in the order of their hashes. */
  readonly examples: readonly RepeatedKey[];
}

export interface RepeatedKeysOptions {
  /** Fingerprints in memory at a time, as 16 bytes each. */
  readonly perBucket?: number;
  /** Rows of parts that are read to compare keys. */
  readonly rowsToConfirm?: number;
}

const PER_BUCKET = 2 ** 23;
/** Distinct repeated fingerprints that are remembered. */
const MOST_SUSPECTS = 256;
const READS_AT_A_TIME = 8;
/** In files of a few rows each, which are read once and kept. */
const MOST_KEPT_BYTES = 32 * 2 ** 20;

/**
 * Finds the keys that several rows of a partition have, exactly: by their fingerprints, and those with equal ones by the keys
 * themselves, which are read from the parts. A range of all fingerprints is in memory at a time, so that memory is bounded
 * (about 20 bytes × `perBucket`, and 32 MiB) whatever the number of rows. A request per part and range at least; one per part
 * with up to 8,192 rows, as long as those fit in 32 MiB. None for a single part without repetitions. `npm run bench:keys`: 100
 * million rows in 100 parts take 8 CPU-seconds, 250 MB and 1,200 requests.
 * @param parts in the order of the partition
 * @throws Ncs4cvrError PUBLISH_PART_INVALID, PUBLISH_DOCUMENT_INVALID; StorageError
 */
export async function findRepeatedKeys(
  root: string,
  parts: readonly KeyedPart[],
  { perBucket = PER_BUCKET, rowsToConfirm = 4_000_000 }: RepeatedKeysOptions = {},
): Promise<RepeatedKeys> {
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const nothing = { rows, repeatedRows: 0, isConfirmed: true, examples: [] };
  const filled = parts.filter((part) => part.rows > 0);
  if (filled.length === 0 || (filled.length === 1 && filled[0]!.keys.repeatedRows === 0)) return nothing;
  const { suspects, isAll, repeatedRows } = await countFingerprints(
    await openFingerprints(root, filled),
    rows,
    perBucket,
  );
  if (repeatedRows === 0) return nothing;
  const confirmed = await confirmRepeats(root, filled, suspects, rowsToConfirm);
  const isConfirmed = isAll && confirmed.isAll;
  return {
    rows,
    repeatedRows: isConfirmed ? confirmed.repeatedRows : repeatedRows,
    isConfirmed,
    examples: confirmed.examples,
  };
}

/** Requests for fingerprints that a search takes, beside a listing, where no key repeats. @param partRows rows of each part */
export function requestsForKeys(partRows: readonly number[]): number {
  const filled = partRows.filter((rows) => rows > 0);
  if (filled.length < 2) return 0;
  const ranges = Math.ceil(filled.reduce((sum, rows) => sum + rows, 0) / PER_BUCKET);
  return filled.reduce((sum, rows) => sum + readsOfFingerprints(rows, ranges), 0);
}

interface CountedFingerprints {
  readonly repeatedRows: number;
  /** The smallest of those that several rows have. */
  readonly suspects: readonly Suspect[];
  /** Whether there are no others. */
  readonly isAll: boolean;
}

async function countFingerprints(
  files: readonly FingerprintFile[],
  rows: number,
  perBucket: number,
): Promise<CountedFingerprints> {
  const bucketCount = Math.ceil(rows / perBucket);
  const bucket = new FingerprintBucket(Math.ceil(rows / bucketCount));
  const suspects: Suspect[] = [];
  let repeatedRows = 0;
  let isAll = true;
  let keptBytes = 0;
  const mayKeep = (sizeBytes: number) => {
    if (keptBytes + sizeBytes > MOST_KEPT_BYTES) return false;
    keptBytes += sizeBytes;
    return true;
  };
  for (let index = 1; index <= bucketCount; index++) {
    const end = Math.round((index * 2 ** 32) / bucketCount);
    bucket.clear(MOST_SUSPECTS - suspects.length);
    await mapConcurrently([...files.entries()], READS_AT_A_TIME, ([part, file]) => {
      return file.readUpTo(end, { take: bucket.taker(part), mayKeep });
    });
    const found = bucket.count();
    repeatedRows += found.repeatedRows;
    isAll &&= found.isAll;
    suspects.push(...found.suspects);
  }
  return { repeatedRows, suspects, isAll };
}
