import { Ncs4cvrError, ProblemsError, StorageError } from '../base/errors.ts';
import {
  findShards,
  namesShard,
  noShard,
  pathBelow,
  refuseTable,
  shardMatcher,
} from '../storage/listShards.ts';
import { storageFor } from '../storage/openStorage.ts';
import { findEntries } from '../storage/readFileList.ts';
import type { ListedFile } from '../storage/storage.ts';
import { folderUri, joinPath, uriScheme } from '../storage/uri.ts';
import type { JobDocument } from './jobDocument.ts';
import { type DayRange, listPartitions, type PartitionListing } from './listPartitions.ts';
import {
  type FileListVersion,
  laidOutFiles,
  type PartitionFiles,
  readPartitionFiles,
} from './partitionFiles.ts';
import { WHOLE_INPUT } from './partitionLayout.ts';

/** A partition of a job's input, and where its shards are. */
export interface InputPartition {
  /** Path below the input root, such as `dt=2022-05-06`; of a list, the folders of its files that have the layout's keys. */
  readonly partition: string;
  /** Folder that the names of its shards start at. */
  readonly inputUri: string;
  /** Names its shards; all that lie in the folder are its shards without one. */
  readonly fileList?: FileListVersion | undefined;
}

/** The input of a job: a folder of partitions, or a list of files that was read once. */
export interface OpenedInput {
  /** See `listPartitions`; none of a list's files is looked at. */
  listPartitions(range?: DayRange): Promise<PartitionListing>;
  /** @throws StorageError INPUT_IS_TABLE */
  has(partition: string): Promise<boolean>;
  /** @param partition one that it has */
  inputPartition(partition: string): InputPartition;
}

/** Whether a job's input is a list of files, by its name: lists of `score --files` may have any. */
export function isFileList(input: string): boolean {
  return /\.(txt|json|manifest)$/i.test(input);
}

/** In words why an input has no partition at all: its folder isn't there. Undefined where it is. */
export async function whyNoInput(input: string): Promise<string | undefined> {
  if (isFileList(input) || (await storageFor(input).exists(folderUri(input)))) return undefined;
  return uriScheme(input) === 's3'
    ? 'nothing at all below this input'
    : 'no such input; relative paths, those in a job document too, start at the folder that the command runs in';
}

/** A partition of an input that is a folder. */
export function folderPartition(inputRoot: string, partition: string): InputPartition {
  return { partition, inputUri: partition === WHOLE_INPUT ? inputRoot : joinPath(inputRoot, partition) };
}

/** @throws ProblemsError INPUT_LIST_INVALID; StorageError INPUT_EMPTY for a list without files */
export async function openJobInput({
  input,
  layout,
}: Pick<JobDocument, 'input' | 'layout'>): Promise<OpenedInput> {
  if (isFileList(input)) {
    const files = await readPartitionFiles(
      input,
      layout.keys.map(({ name }) => name),
    );
    return {
      listPartitions: async (range) => laidOutFiles(files, layout, range),
      has: async (partition) => files.partitions.has(partition),
      inputPartition: (partition) => listedPartition(files, partition),
    };
  }
  return {
    listPartitions: (range) => listPartitions(input, layout, range),
    has: async (partition) => {
      await refuseTable(input, await storageFor(input).listFolders(input));
      const { inputUri } = folderPartition(input, partition);
      return storageFor(inputUri).exists(folderUri(inputUri));
    },
    inputPartition: (partition) => folderPartition(input, partition),
  };
}

function listedPartition({ fileList, partitions }: PartitionFiles, partition: string): InputPartition {
  const { folders } = partitions.get(partition)!;
  return { partition, inputUri: folders[0]!, fileList };
}

/** A link that leads nowhere, a folder that can't be read, a pipe with a shard's name. */
export interface UnlistableFile {
  /** As of a shard. */
  readonly relativePath: string;
  readonly error: StorageError;
}

/** Shards of a partition as they are now. */
export interface ListedInput {
  readonly shards: readonly ListedFile[];
  /** URIs of the files that are no shards. */
  readonly ignored: readonly string[];
  /** What may hold shards and can't be looked at; of a list nothing, whose own files are named as missing. */
  readonly unlistable: readonly UnlistableFile[];
  /** That has named the shards. */
  readonly fileList?: FileListVersion;
}

/**
 * The shards of a partition, which may have none: of a folder, see `findShards`; of a list, the files that it names now. Those
 * are found by one listing of their folder.
 * @param isKnown says of a file that it was found to be a shard before
 * @throws StorageError INPUT_IS_TABLE; ProblemsError INPUT_LIST_INVALID naming files that are missing, listed twice or of
 * another size; INPUT_LIST_SCATTERED for files in several folders; Ncs4cvrError PLAN_STALE where the list names another
 * folder than the partition's
 */
export async function listInput(
  { partition, inputUri, fileList }: InputPartition,
  isKnown?: (file: ListedFile) => boolean,
): Promise<ListedInput> {
  if (fileList === undefined) {
    const folder = folderUri(inputUri);
    const unlistable: UnlistableFile[] = [];
    const { shards, others } = await findShards(folder, isKnown, (uri, error) => {
      if (error.retryable) throw error;
      unlistable.push({ relativePath: pathBelow(folder, uri), error });
    });
    return { shards, ignored: others.map(({ uri }) => uri), unlistable };
  }
  const files = await readPartitionFiles(fileList.uri, keyNamesOf(partition));
  const found = files.partitions.get(partition);
  if (found === undefined) return { ...NOTHING_ELSE, shards: [], fileList: files.fileList };
  const { folders, entries } = found;
  if (folders.length > 1) {
    const summary = `the files of ${partition} lie in several folders; the list may name one for each partition`;
    throw new ProblemsError('INPUT_LIST_SCATTERED', summary, folders.slice(0, NAMED_FOLDERS), {
      file: fileList.uri,
    });
  }
  if (folders[0] !== inputUri) {
    throw new Ncs4cvrError(
      'PLAN_STALE',
      'the list names another folder since the plan was made; plan again',
      {
        file: fileList.uri,
        expected: inputUri,
        found: folders[0]!,
      },
    );
  }
  const inFolder = new Map((await filesIn(inputUri)).map((file) => [file.uri, file]));
  const shards = (await findEntries(fileList.uri, entries, (uri) => inFolder.get(uri)))
    .map((file) => ({ ...file, relativePath: file.uri.slice(inputUri.length + 1) }))
    .sort((a, b) => Buffer.compare(Buffer.from(a.relativePath), Buffer.from(b.relativePath)));
  return { ...NOTHING_ELSE, shards, fileList: files.fileList };
}

/**
 * A listing whose shards are those that a job counts, the others among what is ignored. What can't be looked at may be a folder with
 * shards of any name.
 * @param pattern see `shardMatcher`
 */
export function countedInput<L extends ListedInput>(listed: L, pattern: string | undefined): L {
  const counts = shardMatcher(pattern);
  const others = listed.shards.filter(({ relativePath }) => !counts(relativePath)).map(({ uri }) => uri);
  return {
    ...listed,
    shards: listed.shards.filter(({ relativePath }) => counts(relativePath)),
    ignored: [...listed.ignored, ...others],
    unlistable: listed.unlistable.filter(
      ({ relativePath }) => counts(relativePath) || !namesShard(relativePath),
    ),
  };
}

/** Of a list all is named. */
const NOTHING_ELSE = { ignored: [], unlistable: [] };

const NAMED_FOLDERS = 10;

async function filesIn(folder: string): Promise<readonly ListedFile[]> {
  const storage = storageFor(folder);
  // What can't be listed is nothing to a list, unless it names it.
  try {
    return await storage.list(folderUri(folder), () => {});
  } catch (error) {
    if (error instanceof StorageError && error.code === 'STORAGE_NOT_FOUND') return [];
    throw error;
  }
}

/**
 * As `listInput`, of a partition that must have shards, or what may be some.
 * @throws StorageError INPUT_EMPTY
 */
export async function listInputShards(
  input: InputPartition,
  isKnown?: (file: ListedFile) => boolean,
): Promise<ListedInput> {
  const { partition, inputUri, fileList } = input;
  const listed = await listInput(input, isKnown);
  const { shards, ignored, unlistable } = listed;
  if (shards.length + unlistable.length > 0) return listed;
  throw fileList === undefined ? noShard(folderUri(inputUri), ignored) : inputEmpty(fileList.uri, partition);
}

function inputEmpty(file: string, partition: string): StorageError {
  return new StorageError('INPUT_EMPTY', `the list names no file of ${partition}`, {
    file,
    expected: 'at least one Parquet file',
  });
}

/**
 * Where a partition's shards are now, for what is planned anew: a list may have changed since.
 * @throws StorageError INPUT_EMPTY when the list names none any more
 */
export async function currentInput<P extends InputPartition>(input: P): Promise<P> {
  const { partition, fileList } = input;
  if (fileList === undefined) return input;
  const files = await readPartitionFiles(fileList.uri, keyNamesOf(partition));
  if (!files.partitions.has(partition)) throw inputEmpty(fileList.uri, partition);
  return { ...input, ...listedPartition(files, partition) };
}

function keyNamesOf(partition: string): string[] {
  if (partition === WHOLE_INPUT) return [];
  return partition.split('/').map((folder) => folder.slice(0, folder.indexOf('=')));
}

/**
 * What lands is nothing to a job that reads a list: the list says what is to be scored, and no event tells that it has changed.
 * @throws Ncs4cvrError JOB_LIST_WITHOUT_EVENTS
 */
export function refuseArrivalsOfList({ input }: Pick<JobDocument, 'input'>): void {
  if (!isFileList(input)) return;
  throw new Ncs4cvrError(
    'JOB_LIST_WITHOUT_EVENTS',
    "a job that reads a list of files can't be started by events",
    {
      file: input,
      expected: 'a folder as input, or a stage with events: DISABLED',
    },
  );
}
