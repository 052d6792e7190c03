import { allOrFirstError } from '../base/allOrFirstError.ts';
import type { UnpublishedDay } from '../gates/judged.ts';
import type { SpanElsewhere } from '../gates/judgeKeys.ts';
import { type InputPartition, listInput } from '../job/jobInput.ts';
import { addDigests, KeySum } from '../keys/keySum.ts';
import { withShard } from '../parquet/openShard.ts';
import { readRecordBatches } from '../parquet/readRecordBatches.ts';
import { storageFor } from '../storage/openStorage.ts';
import type { FileStat, RandomAccessFile } from '../storage/storage.ts';
import { cutPartition } from './cutPartition.ts';
import type { Manifest } from './manifest.ts';
import type { PartitionRun } from './partitionRun.ts';
import { shardUri } from './span.ts';

/** Of a larger shard the first and the last bytes are compared: the last hold the counts and bounds of every column. */
const COMPARED_BYTES = 8 * 2 ** 20;
const PIECE_BYTES = 2 ** 20;

/**
 * Shards of a manifest that lie byte for byte in another partition's input, too. A listing, and reads only of shards that have
 * the same length there: of different ones, as a rule, a first piece.
 * @throws what listing that input throws; STORAGE_FILE_CHANGED, STORAGE_NOT_FOUND when a shard was replaced meanwhile
 */
export async function sharedFiles(
  { inputUri }: Pick<PartitionRun, 'inputUri'>,
  { parts }: Manifest,
  other: InputPartition,
): Promise<SpanElsewhere[]> {
  const { shards } = await listInput(other, () => true);
  const found: SpanElsewhere[] = [];
  const known = new Map<string, boolean>();
  for (const { shard, version, sizeBytes, rows } of parts.flatMap(({ spans }) => spans)) {
    // Writers leave empty shards, and all of these are alike.
    if (rows === 0) continue;
    const own = { uri: shardUri(inputUri, shard), sizeBytes, version };
    let isShared = known.get(shard);
    if (isShared === undefined) {
      isShared = await isAmong(own, shards);
      known.set(shard, isShared);
    }
    if (isShared) found.push({ shard, rows, partition: other.partition });
  }
  return found;
}

async function isAmong(own: VersionedFile, others: readonly VersionedFile[]): Promise<boolean> {
  for (const other of others) {
    if (other.sizeBytes === own.sizeBytes && (await haveSameBytes(own, other))) return true;
  }
  return false;
}

/** Rows of another partition's input: what its shards' footers say; nothing where one is broken, or there is no row. @throws as cutPartition */
export async function unpublishedDay(
  run: PartitionRun,
  other: InputPartition,
): Promise<UnpublishedDay | undefined> {
  const { rows, isWhole } = await cutOther(run, other);
  return isWhole && rows > 0 ? { partition: other.partition, rows } : undefined;
}

async function cutOther(run: PartitionRun, { partition, inputUri, fileList }: InputPartition) {
  const { parts, broken } = (await cutPartition({ ...run, partition, inputUri, fileList }))!;
  return {
    isWhole: broken.length === 0,
    spans: parts.flatMap(({ spans }) => spans),
    rows: parts.reduce((sum, part) => sum + part.rows, 0),
  };
}

/** Of another day's rows, whose keys are read where it has as many as this one. */
const MOST_KEYS_READ = 20_000_000;

/**
 * The spans of a manifest, all of them, whose rows have the very keys of the rows in another partition's input, in whatever order,
 * shards and encoding: a copy that was written anew, or rows that are there every day. The footers of the other's shards, and its
 * key columns where it has as many rows as the manifest.
 * @param mostRows whose keys it reads
 * @returns undefined where there are more
 * @throws as cutPartition and readRowGroup; STORAGE_FILE_CHANGED, STORAGE_NOT_FOUND when a shard was replaced meanwhile
 */
export async function sharedKeys(
  run: PartitionRun,
  { parts, rows }: Manifest,
  other: InputPartition,
  mostRows = MOST_KEYS_READ,
): Promise<SpanElsewhere[] | undefined> {
  const names = parts[0]?.keys.types.map(({ name }) => name) ?? [];
  const there = await cutOther(run, other);
  if (rows === 0 || there.rows !== rows) return [];
  if (rows > mostRows) return undefined;
  const sum = new KeySum(names);
  for (const span of there.spans) {
    const uri = shardUri(other.inputUri, span.shard);
    await withShard(uri, span, async (shard) => {
      const rowGroups = [...shard.rowGroups.keys()].slice(span.firstRowGroup, span.endRowGroup);
      for await (const { batch } of readRecordBatches(shard, names, { rowGroups })) sum.add(batch);
    });
  }
  if (sum.digest !== addDigests(parts.flatMap(({ keys }) => keys.keySpans))) return [];
  const { partition } = other;
  return parts.flatMap(({ spans }) =>
    spans.map((span) => ({ shard: span.shard, rows: span.rows, partition })),
  );
}

type VersionedFile = FileStat & { readonly uri: string };

function haveSameBytes(a: VersionedFile, b: VersionedFile): Promise<boolean> {
  return withFile(a, (fileA) => withFile(b, (fileB) => areEqual(fileA, fileB)));
}

async function withFile<Found>(
  known: VersionedFile,
  read: (file: RandomAccessFile) => Promise<Found>,
): Promise<Found> {
  const file = await storageFor(known.uri).open(known.uri, known);
  try {
    return await read(file);
  } finally {
    await file.close();
  }
}

/** @param a @param b files of one length */
async function areEqual(a: RandomAccessFile, b: RandomAccessFile): Promise<boolean> {
  const { sizeBytes } = a;
  // From the end on, since that is where most differ.
  for (let end = sizeBytes; end > 0; end -= PIECE_BYTES) {
    if (end <= sizeBytes - COMPARED_BYTES && end > COMPARED_BYTES) continue;
    const start = Math.max(0, end - PIECE_BYTES);
    const [pieceA, pieceB] = [0, 1].map(() => Buffer.allocUnsafe(end - start)) as [Buffer, Buffer];
    await allOrFirstError([a.readInto(pieceA, start), b.readInto(pieceB, start)]);
    if (!pieceA.equals(pieceB)) return false;
  }
  return true;
}
