import { z } from 'zod';
import { type ListEntry, readListEntries } from '../storage/readFileList.ts';
import { fileKey, uriScheme } from '../storage/uri.ts';
import {
  type DayRange,
  inOrder,
  isInRange,
  type PartitionListing,
  type SkippedFolder,
} from './listPartitions.ts';
import {
  type LaidOutPartition,
  layOutPartition,
  type PartitionLayout,
  WHOLE_INPUT,
} from './partitionLayout.ts';

export const fileListSchema = z.strictObject({
  uri: z.string().min(1),
  /** Of its bytes. */
  sha256: z.string(),
});
/** A list of files as it was when it was read. */
export type FileListVersion = Readonly<z.infer<typeof fileListSchema>>;

/** What a list names of one partition. */
interface FilesOfPartition {
  /** In the order of the list. More than one can't be a partition, whose shards are named by their paths in it. */
  readonly folders: string[];
  /** With one spelling of each file, see `fileKey`. */
  readonly entries: ListEntry[];
}

/** A list of files by the partitions that they lie in. */
export interface PartitionFiles {
  readonly fileList: FileListVersion;
  readonly partitions: ReadonlyMap<string, FilesOfPartition>;
  /** Folders of files that lie in no partition, in the order of the list. */
  readonly outside: ReadonlySet<string>;
}

/**
 * Reads a list, whose files aren't looked at. A file's partition are the deepest folders of its path that have the names of
 * all keys, one in the other: `s3://b/dt=1/table/dt=2/a.parquet` lies in `dt=2`, since tables stand in dated folders.
 * @param keyNames of the partition layout; without any, all files lie in the one partition
 * @throws ProblemsError INPUT_LIST_INVALID; StorageError INPUT_EMPTY, STORAGE_URI_INVALID
 */
export async function readPartitionFiles(
  listUri: string,
  keyNames: readonly string[],
): Promise<PartitionFiles> {
  const { entries, sha256 } = await readListEntries(listUri);
  const partitions = new Map<string, FilesOfPartition>();
  const outside = new Set<string>();
  for (const entry of entries) {
    const uri = oneSpelling(entry.uri);
    const found = partitionFolder(uri.split('/').slice(0, -1), keyNames);
    if (found === undefined) {
      outside.add(uri.slice(0, uri.lastIndexOf('/')));
      continue;
    }
    const { partition, folder } = found;
    const files = partitions.get(partition) ?? { folders: [], entries: [] };
    partitions.set(partition, files);
    if (!files.folders.includes(folder)) files.folders.push(folder);
    files.entries.push({ ...entry, uri });
  }
  return { fileList: { uri: listUri, sha256 }, partitions, outside };
}

/** As `fileKey`; other storages stay: whoever looks for the file refuses them. */
export function oneSpelling(uri: string): string {
  const scheme = uriScheme(uri);
  return scheme === undefined || scheme === 'file' ? fileKey(uri) : uri;
}

function partitionFolder(
  folders: readonly string[],
  keyNames: readonly string[],
): { readonly partition: string; readonly folder: string } | undefined {
  if (keyNames.length === 0) return { partition: WHOLE_INPUT, folder: folders.join('/') };
  for (let end = folders.length; end >= keyNames.length; end--) {
    const some = folders.slice(end - keyNames.length, end);
    if (some.every((folder, index) => folder.startsWith(`${keyNames[index]}=`))) {
      return { partition: some.join('/'), folder: folders.slice(0, end).join('/') };
    }
  }
  return undefined;
}

/** The partitions of a list as `listPartitions` tells of those of a folder. */
export function laidOutFiles(
  { partitions, outside }: PartitionFiles,
  layout: PartitionLayout,
  range?: DayRange,
): PartitionListing {
  const found: LaidOutPartition[] = [];
  const skipped: SkippedFolder[] = [...outside].map((name) => ({
    name,
    reason: `its files lie in no folder of the layout ${layout.text}`,
  }));
  for (const name of partitions.keys()) {
    const laidOut = layOutPartition(layout, name);
    if (typeof laidOut === 'string') skipped.push({ name, reason: laidOut });
    else if (isIn(range, laidOut)) found.push(laidOut);
  }
  return inOrder({ partitions: found, skipped });
}

function isIn(range: DayRange | undefined, { day }: LaidOutPartition): boolean {
  return range === undefined || day === undefined || isInRange(day, range);
}
