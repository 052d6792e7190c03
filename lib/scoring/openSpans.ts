import { openShard, type ParquetShard } from '../parquet/openShard.ts';
import { storageFor } from '../storage/openStorage.ts';
import type { FileStat, RandomAccessFile } from '../storage/storage.ts';
import { SMALL_SHARD_BYTES } from './requestLimits.ts';

/** Row groups `[first, end)` of a shard. */
export interface RowGroupRange {
  readonly first: number;
  readonly end: number;
}

/** Row groups of one version of a shard. */
export interface ShardSpan {
  readonly uri: string;
  /** The version that the work was planned for, as a listing gives it; the one that is there by default. */
  readonly known?: FileStat;
  /** All by default. */
  readonly rowGroups?: RowGroupRange;
}

/** A span whose shard's footer has been read. */
export interface OpenSpan {
  /** Its place among the spans. */
  readonly index: number;
  /** Its file serves small shards from memory. It is closed when the next span is asked for. */
  readonly shard: ParquetShard;
  readonly range: RowGroupRange;
  /** The whole file, where it is small. Whoever hands this memory over to a thread is the last to read the file. */
  readonly bytes?: Uint8Array;
}

/** Bytes of small shards that are read ahead of the one whose turn it is. */
const AHEAD_BYTES = 4 * 1024 * 1024;
const MOST_AHEAD = 16;

/**
 * Opens the spans' shards in order, and small ones ahead of their turn: one after the other, many small shards would take
 * longer to fetch than to score. Holds a few megabytes of them.
 * @throws the error of the first shard at fault: StorageError STORAGE_FILE_CHANGED when it isn't the known version, and as
 * openShard
 */
export async function* openSpans(
  spans: readonly ShardSpan[],
  first = 0,
): AsyncGenerator<OpenSpan, void, undefined> {
  const ahead: { readonly opened: Promise<OpenSpan>; readonly bytes: number }[] = [];
  let next = first;
  let aheadBytes = 0;
  try {
    for (let index = first; index < spans.length; index++) {
      for (; next < spans.length; next++) {
        const bytes = spans[next]!.known?.sizeBytes ?? Number.POSITIVE_INFINITY;
        const isSmall = bytes <= SMALL_SHARD_BYTES;
        const hasRoom = isSmall && ahead.length < MOST_AHEAD && aheadBytes + bytes <= AHEAD_BYTES;
        if (ahead.length > 0 && !hasRoom) break;
        const opened = openSpan(spans[next]!, next);
        // Reported when its turn comes; until then it must not count as unhandled.
        opened.catch(() => undefined);
        ahead.push({ opened, bytes: isSmall ? bytes : AHEAD_BYTES });
        aheadBytes += ahead.at(-1)!.bytes;
      }
      const { opened, bytes } = ahead.shift()!;
      aheadBytes -= bytes;
      const span = await opened;
      try {
        yield span;
      } finally {
        await span.shard.file.close();
      }
    }
  } finally {
    for (const { opened } of ahead) {
      await opened.then(({ shard }) => shard.file.close()).catch(() => undefined);
    }
  }
}

/** The first span, which all are compared with, and those to be scored, opened in their turn. */
export interface SpansFromFirst {
  readonly first: OpenSpan;
  readonly open: AsyncGenerator<OpenSpan, void, undefined>;
  /** For a caller that may give up before it asks `open` for a span. */
  readonly close: () => Promise<unknown>;
}

/** @param start index of the first span to be scored; the first one of all is opened in any case, and once */
export async function openFromFirst(spans: readonly ShardSpan[], start: number): Promise<SpansFromFirst> {
  const all = openSpans(start === 0 ? spans : spans.slice(0, 1));
  const { value: first } = await all.next();
  if (!first) throw new RangeError('there are no spans');
  const open = start === 0 ? continued(first, all) : openSpans(spans, start);
  return { first, open, close: () => all.return() };
}

async function* continued(first: OpenSpan, rest: AsyncGenerator<OpenSpan, void, undefined>) {
  try {
    yield first;
    yield* rest;
  } finally {
    await rest.return();
  }
}

async function openSpan({ uri, known, rowGroups }: ShardSpan, index: number): Promise<OpenSpan> {
  const file = await storageFor(uri).open(uri, known);
  try {
    const bytes = await readIfSmall(file);
    const shard = await openShard(bytes === undefined ? file : inMemory(file, bytes), bytes);
    const range = rowGroups ?? { first: 0, end: shard.rowGroups.length };
    return { index, shard, range, ...(bytes === undefined ? {} : { bytes }) };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function readIfSmall(file: RandomAccessFile): Promise<Uint8Array | undefined> {
  const { sizeBytes } = file;
  if (sizeBytes === 0 || sizeBytes > SMALL_SHARD_BYTES) return undefined;
  const bytes = Buffer.allocUnsafeSlow(sizeBytes);
  await file.readInto(bytes, 0);
  return bytes;
}

/** Serves ranges of a file that has been read. */
function inMemory(file: RandomAccessFile, bytes: Uint8Array): RandomAccessFile {
  const { uri, sizeBytes, version } = file;
  return {
    uri,
    sizeBytes,
    version,
    readInto: async (target, startByte) => target.set(bytes.subarray(startByte, startByte + target.length)),
    close: () => file.close(),
  };
}
