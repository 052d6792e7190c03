import { StorageError } from '../base/errors.ts';
import { mapConcurrently } from '../base/mapConcurrently.ts';
import { storageFor } from './openStorage.ts';
import { readFileList } from './readFileList.ts';
import type { ListedFile, OnUnlistable } from './storage.ts';
import { joinPath, joinUri } from './uri.ts';

/** In any case. */
const SHARD_ENDINGS = ['.parquet', '.parq', '.pq'] as const;

/** Of shards that somebody has compressed as files: rows that would be missed without a word. Whoever opens one finds it broken. */
const COMPRESSED = /\.(parquet|parq|pq)\.(gz|gzip|zst|zstd|bz2|xz|lz4|br|sz|snappy|zip)$/i;

/** A shard's path without the ending that makes it one; other paths stay. */
export function withoutShardEnding(path: string): string {
  return path.slice(0, path.length - (endingOf(path)?.length ?? 0));
}

function endingOf(path: string): string | undefined {
  const name = path.toLowerCase();
  return SHARD_ENDINGS.find((ending) => name.endsWith(ending));
}

/**
 * Whether a shard counts for a job, by its path below the partition: in a pattern, `*` stands for anything but a slash, `**` for
 * anything, and every other character for itself. The whole path must match.
 * @param pattern all shards count without one
 */
export function shardMatcher(pattern: string | undefined): (path: string) => boolean {
  if (pattern === undefined) return () => true;
  const source = pattern
    .split(/(\*\*|\*)/)
    .map((piece) =>
      piece === '**' ? '.*' : piece === '*' ? '[^/]*' : piece.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'),
    )
    .join('');
  const expression = new RegExp(`^${source}$`, 's');
  return (path) => expression.test(path);
}

/** How a Parquet file begins, and one whose footer is encrypted. */
const MAGICS: readonly string[] = ['PAR1', 'PARE'];
const MAGIC_BYTES = 4;
/** Files whose first bytes are read at a time; the SDK has 50 connections. */
const READS_AT_A_TIME = 48;

/** What is read: the shards at a URI, or the files that a list names. */
export type ShardInput = string | { readonly filesUri: string };

/** For messages and records. */
export function inputUriOf(input: ShardInput): string {
  return typeof input === 'string' ? input : input.filesUri;
}

/**
 * Shards at a URI where there must be one, see `findShards`; or those of a list, see `readFileList`.
 * @returns the shards, and the URIs of what was passed over
 * @throws StorageError INPUT_EMPTY when a folder holds no shard; INPUT_IS_TABLE; ProblemsError INPUT_LIST_INVALID
 */
export async function listShards(
  input: ShardInput,
  isKnown?: (file: ListedFile) => boolean,
  onUnlistable?: OnUnlistable,
): Promise<{ readonly shards: readonly ListedFile[]; readonly ignored: readonly string[] }> {
  if (typeof input !== 'string') return { shards: await readFileList(input.filesUri), ignored: [] };
  const inputUri = input;
  const { shards, others } = await findShards(inputUri, isKnown, onUnlistable);
  const ignored = others.map(({ uri }) => uri);
  if (shards.length === 0) throw noShard(inputUri, ignored);
  return { shards, ignored };
}

/** @param ignored URIs of what is there instead, below the folder */
export function noShard(folder: string, ignored: readonly string[]): StorageError {
  const names = ignored.slice(0, 5).map((uri) => pathBelow(folder, uri));
  return new StorageError('INPUT_EMPTY', 'there is no shard to read', {
    file: folder,
    expected: 'at least one Parquet file',
    found: names.length === 0 ? 'no file' : names.join(', '),
  });
}

/** Of what a listing of the folder has named. */
export function pathBelow(folder: string, uri: string): string {
  return uri.slice(joinPath(folder, '').length);
}

/**
 * Shards at a URI: the file itself, whatever its name, or everything below a folder or partition that has a shard's name or
 * begins as Parquet does. Engines such as Athena write shards without an ending; a file that begins as one and doesn't
 * end as one is a shard too, which whoever opens it will find broken. A name without an ending costs a request. A pipe or
 * socket of another name is one of the others.
 * @param isKnown says of a file that it was found to be a shard before
 * @param onUnlistable see Storage.list; the listing fails without it
 * @throws StorageError INPUT_IS_TABLE
 */
export async function findShards(
  inputUri: string,
  isKnown: (file: ListedFile) => boolean = () => false,
  onUnlistable?: OnUnlistable,
): Promise<{ readonly shards: readonly ListedFile[]; readonly others: readonly OtherFile[] }> {
  const storage = storageFor(inputUri);
  const pipes: OtherFile[] = [];
  const files = await storage.list(inputUri, (uri, error) => {
    if (error.code === 'STORAGE_NOT_A_FILE' && !namesShard(uri)) {
      pipes.push({ uri, relativePath: pathBelow(inputUri, uri) });
    } else if (onUnlistable === undefined) throw error;
    else onUnlistable(uri, error);
  });
  if (files.length === 1 && files[0]!.uri === inputUri) return { shards: files, others: [] };
  await refuseTable(inputUri, await storage.listFolders(inputUri));
  const areShards = await mapConcurrently(
    files,
    READS_AT_A_TIME,
    async (file) => namesShard(file.relativePath) || isKnown(file) || beginsAsShard(file),
  );
  return {
    shards: files.filter((_, index) => areShards[index]),
    others: [...files.filter((_, index) => !areShards[index]), ...pipes],
  };
}

/** What lies in an input and is no shard. */
type OtherFile = Pick<ListedFile, 'uri' | 'relativePath'>;

/** Whether a file's name says that it is a shard, as those do that somebody has compressed. */
export function namesShard(path: string): boolean {
  return endingOf(path) !== undefined || COMPRESSED.test(path);
}

async function beginsAsShard(listed: ListedFile): Promise<boolean> {
  if (listed.sizeBytes < MAGIC_BYTES) return false;
  const file = await storageFor(listed.uri).open(listed.uri, listed);
  try {
    const head = new Uint8Array(MAGIC_BYTES);
    await file.readInto(head, 0);
    return MAGICS.includes(Buffer.from(head).toString('latin1'));
  } finally {
    await file.close();
  }
}

/**
 * Refuses the folder of a table: its data files hold deleted rows, old versions and rows of other snapshots.
 * @param folders directly within it, see Storage.listFolders
 * @throws StorageError INPUT_IS_TABLE
 */
export async function refuseTable(uri: string, folders: readonly string[]): Promise<void> {
  let kind: string | undefined;
  if (folders.includes('_delta_log')) kind = 'a Delta table (_delta_log)';
  else if (folders.includes('.hoodie')) kind = 'a Hudi table (.hoodie)';
  else if (folders.includes('metadata')) {
    const files = await storageFor(uri).list(joinUri(uri, 'metadata'));
    const isIceberg = files.some(({ relativePath }) => relativePath.endsWith('.metadata.json'));
    if (isIceberg) kind = 'an Iceberg table (metadata/*.metadata.json)';
  }
  if (kind === undefined) return;
  throw new StorageError(
    'INPUT_IS_TABLE',
    'a table is no folder of shards: its files hold more than its rows',
    {
      file: uri,
      expected:
        'Parquet shards, such as an export of the table, or a list of its live files: as the input of a job, or for init, score and train (--files)',
      found: kind,
    },
  );
}

/** Some shards that stand for all: the first, the last, and evenly between them. @param most of them */
export function spreadShards(shards: readonly ListedFile[], most: number): ListedFile[] {
  const count = Math.min(most, shards.length);
  const last = Math.max(1, count - 1);
  return Array.from({ length: count }, (_, i) => shards[Math.round((i * (shards.length - 1)) / last)]!);
}
