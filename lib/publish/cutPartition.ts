import { Ncs4cvrError, StorageError } from '../base/errors.ts';
import { countedInput, type InputPartition, listInputShards, type UnlistableFile } from '../job/jobInput.ts';
import type { FileListVersion } from '../job/partitionFiles.ts';
import type { ListedFile } from '../storage/storage.ts';
import { type BrokenShard, brokenShardOf, notedBrokenShards, UNLISTABLE } from './brokenShard.ts';
import { cutParts, type Part } from './part.ts';
import type { PartitionRun } from './partitionRun.ts';
import type { PartPlace } from './receipt.ts';
import { type FoundShape, readShapes, rememberedShapes } from './shardShapes.ts';
import { type NamedShape, wholeSpan } from './span.ts';

/** A partition's input as it stands, cut into parts. */
export interface CutPartition {
  /** In the order of a manifest. */
  readonly parts: readonly Part[];
  /** Shards that no part holds, since they can't be read or scored. */
  readonly broken: readonly BrokenShard[];
  /** Row group with the most rows; undefined where there is none. */
  readonly largest: LargestRowGroup | undefined;
  readonly shardCount: number;
  readonly sizeBytes: number;
  /** That has named the shards, as it was then. */
  readonly fileList?: FileListVersion;
  /** URIs of the files that are no shards. */
  readonly ignored: readonly string[];
}

interface LargestRowGroup {
  readonly shard: string;
  readonly rowGroup: number;
  readonly rows: number;
}

/** What a partition's cut follows from, beside its shards. */
export type CutInput = PartPlace &
  InputPartition &
  Pick<PartitionRun, 'targetRows' | 'shardPattern' | 'badRows'>;

/** A folder of another partition key. */
const KEY_FOLDER = /^[^=]+=/;

/**
 * Lists a partition's shards and cuts them into parts: requests for the listing and what is remembered, and one for the
 * footer of every shard that is new. A caller that relies on the pointer has read it before, so that the listing isn't
 * older.
 * @param mayGoOn asked now and then while footers are read
 * @returns undefined when it was stopped; what has been read is remembered
 * @throws StorageError INPUT_EMPTY, INPUT_IS_TABLE; Ncs4cvrError PLAN_NESTED_PARTITION; of a list, see `listInputShards`
 */
export async function cutPartition(
  input: CutInput,
  mayGoOn?: () => boolean,
): Promise<CutPartition | undefined> {
  const { root, partition, model, inputUri, targetRows, shardPattern, badRows } = input;
  const remembered = await rememberedShapes(root, partition);
  const isKnown = ({ relativePath, version }: ListedFile) => remembered[relativePath]?.[0] === version;
  const listed = await listInputShards(input, isKnown);
  const { shards, ignored, unlistable } = countedInput(listed, shardPattern);
  if (shards.length + unlistable.length === 0) throw nothingCounts(inputUri, shardPattern!, listed.shards);
  refuseNested(inputUri, shards);
  const found = await readShapes(root, partition, shards, remembered, mayGoOn);
  if (found === undefined) return undefined;
  const versions = found.map((each) => versionOf(each));
  const noted = await notedBrokenShards(root, partition, { model, badRows }, versions);
  const whole: NamedShape[] = [];
  const broken = unlistable.map(brokenByListing);
  for (const each of found) {
    const { shard, version } = versionOf(each);
    const note = noted.get(shard);
    if ('error' in each) broken.push(brokenShardOf(each.error, { shard, version, rows: null }));
    else if (note !== undefined) broken.push(brokenShardOf(note, wholeSpan(each.shape)));
    else whole.push(each.shape);
  }
  return {
    parts: cutParts(whole, targetRows, model, badRows),
    broken,
    largest: largestRowGroup(whole),
    shardCount: shards.length + unlistable.length,
    sizeBytes: shards.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    ...(listed.fileList === undefined ? {} : { fileList: listed.fileList }),
    ignored,
  };
}

/** Rows that would be missing without a word, as those of any other shard that can't be read; the days beside it are planned. */
function brokenByListing({ relativePath, error }: UnlistableFile): BrokenShard {
  return brokenShardOf(error, { shard: relativePath, version: UNLISTABLE, rows: null });
}

/**
 * Refuses a partition whose list of files isn't the one that its run was made for, even where it names the same shards of
 * this one: the partitions of a run are of one state of the table.
 * @throws Ncs4cvrError PLAN_STALE
 */
export function refuseChangedList(
  { partition, fileList }: Pick<InputPartition, 'partition' | 'fileList'>,
  cut: Pick<CutPartition, 'fileList'>,
): void {
  if (fileList?.sha256 === cut.fileList?.sha256) return;
  throw new Ncs4cvrError(
    'PLAN_STALE',
    `the list of files has changed since ${partition} was planned; plan again`,
    {
      file: fileList!.uri,
      expected: `sha256 ${fileList!.sha256.slice(0, 12)}`,
      found: cut.fileList!.sha256.slice(0, 12),
    },
  );
}

function nothingCounts(inputUri: string, pattern: string, shards: readonly ListedFile[]): StorageError {
  const names = shards.slice(0, 5).map(({ relativePath }) => relativePath);
  return new StorageError('INPUT_EMPTY', 'no shard has a name that the job counts', {
    file: inputUri,
    expected: `shards named ${pattern}`,
    found: names.join(', '),
  });
}

function largestRowGroup(shapes: readonly NamedShape[]): LargestRowGroup | undefined {
  let largest: LargestRowGroup | undefined;
  for (const { shard, rowCounts } of shapes) {
    rowCounts.forEach((rows, rowGroup) => {
      if (rows > (largest?.rows ?? 0)) largest = { shard, rowGroup, rows };
    });
  }
  return largest;
}

function versionOf(found: FoundShape): { readonly shard: string; readonly version: string } {
  if ('shape' in found) return found.shape;
  return { shard: found.file.relativePath, version: found.file.version };
}

/**
 * Refuses a partition that holds another one: `a.parquet` beside `hour=01/a.parquet`. The inner one may be written, and
 * published, as a partition of its own, or be a copy of the outer one's rows; either way rows would count twice. A
 * partition whose shards all lie in such folders is a day of hours.
 */
function refuseNested(inputUri: string, shards: readonly ListedFile[]): void {
  const keysOf = ({ relativePath }: ListedFile) =>
    relativePath
      .split('/')
      .slice(0, -1)
      .filter((folder) => KEY_FOLDER.test(folder));
  const shardIn = new Map(shards.map((shard) => [keysOf(shard).join('/'), shard.relativePath]));
  for (const shard of shards) {
    const keys = keysOf(shard);
    for (let depth = 0; depth < keys.length; depth++) {
      const outer = shardIn.get(keys.slice(0, depth).join('/'));
      if (outer === undefined) continue;
      throw new Ncs4cvrError(
        'PLAN_NESTED_PARTITION',
        'a partition lies in another; rows would be published twice',
        {
          file: inputUri,
          expected: 'all shards directly in the partition, or all in folders such as hour=01/',
          found: `${outer} beside ${shard.relativePath}`,
        },
      );
    }
  }
}
