import { allOrFirstError } from '../base/allOrFirstError.ts';
import { readRanges } from '../parquet/readRowGroup.ts';
import { storageFor } from '../storage/openStorage.ts';
import type { RandomAccessFile } from '../storage/storage.ts';
import type { ReadRowGroup, RequestedRowGroup } from './requestedRowGroup.ts';
import { JOIN_GAP_BYTES, REQUEST_BYTES } from './requestLimits.ts';

/** Row groups of one version of a file whose bytes are fetched by one read, with the gaps between them. */
interface JoinedRead {
  readonly rowGroups: RequestedRowGroup[];
  /** False where a row group has gaps of its own that are too large to be read. */
  readonly isWhole: boolean;
  readonly startByte: number;
  endByte: number;
}

/**
 * Reads the bytes of row groups that have none yet. Neighbours in a file share a read, and each file is opened once: a table of
 * row groups of 1,000 rows would otherwise take 32 requests for what one brings.
 * @returns the row groups in their order; those that were read together share their memory
 * @throws StorageError, that of the first row group at fault
 */
export async function readRowGroups(rowGroups: readonly RequestedRowGroup[]): Promise<ReadRowGroup[]> {
  const runs: Promise<readonly ReadRowGroup[]>[] = [];
  for (let start = 0; start < rowGroups.length; ) {
    let end = start + 1;
    while (end < rowGroups.length && isSameFile(rowGroups[start]!, rowGroups[end]!)) end++;
    runs.push(readRun(rowGroups.slice(start, end)));
    start = end;
  }
  return (await allOrFirstError(runs)).flat();
}

function isSameFile(a: RequestedRowGroup, b: RequestedRowGroup): boolean {
  return a.uri === b.uri && a.version === b.version && a.buffer === undefined && b.buffer === undefined;
}

/** @param rowGroups of one file, or one that has its bytes */
async function readRun(rowGroups: readonly RequestedRowGroup[]): Promise<readonly ReadRowGroup[]> {
  const { uri, sizeBytes, version, buffer } = rowGroups[0]!;
  if (buffer !== undefined) return rowGroups.map((rowGroup) => ({ ...rowGroup, buffer }));
  const file = await storageFor(uri).open(uri, { sizeBytes, version });
  try {
    return (await allOrFirstError(joinReads(rowGroups).map((joined) => readJoined(file, joined)))).flat();
  } finally {
    await file.close();
  }
}

/** Gaps are no larger in all than a request may be, so that memory stays bounded where few of many columns are read. */
function joinReads(rowGroups: readonly RequestedRowGroup[]): JoinedRead[] {
  const joined: JoinedRead[] = [];
  let spareBytes = REQUEST_BYTES;
  for (const rowGroup of rowGroups) {
    const { ranges } = rowGroup.reads;
    const startByte = ranges[0]?.startByte ?? 0;
    const endByte = ranges.at(-1)?.endByte ?? 0;
    const last = joined.at(-1);
    const gapBytes = startByte - (last?.endByte ?? 0);
    const isWhole = ranges.length === 1 && last?.isWhole === true;
    if (isWhole && gapBytes >= 0 && gapBytes <= Math.min(JOIN_GAP_BYTES, spareBytes)) {
      last.rowGroups.push(rowGroup);
      last.endByte = endByte;
      spareBytes -= gapBytes;
    } else {
      joined.push({ rowGroups: [rowGroup], isWhole: ranges.length === 1, startByte, endByte });
    }
  }
  return joined;
}

async function readJoined(
  file: RandomAccessFile,
  { rowGroups, startByte, endByte }: JoinedRead,
): Promise<ReadRowGroup[]> {
  if (rowGroups.length === 1) {
    return [{ ...rowGroups[0]!, buffer: await readRanges(file, rowGroups[0]!.reads) }];
  }
  // Not zeroed: every byte is overwritten or the read throws.
  const bytes = Buffer.allocUnsafeSlow(endByte - startByte);
  await file.readInto(bytes, startByte);
  return rowGroups.map((rowGroup) => {
    const range = rowGroup.reads.ranges[0]!;
    return { ...rowGroup, buffer: bytes.subarray(range.startByte - startByte, range.endByte - startByte) };
  });
}
