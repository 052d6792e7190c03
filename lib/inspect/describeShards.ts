import { typeText } from '../base/arrowColumns.ts';
import { Ncs4cvrError } from '../base/errors.ts';
import { mapConcurrently } from '../base/mapConcurrently.ts';
import { openShard, type ParquetShard, withShard } from '../parquet/openShard.ts';
import { findShards, spreadShards } from '../storage/listShards.ts';
import type { RandomAccessFile } from '../storage/storage.ts';
import type { Description } from './description.ts';

/** A shard's footer: rows, row groups, columns with their types. Reads no column data. */
export async function describeShard(file: RandomAccessFile): Promise<Description> {
  const shard = await openShard(file);
  const sizes = shard.rowGroups.map((rowGroup) => rowGroup.rowCount);
  // One by one: a call has no room for as many arguments as a shard may have row groups.
  const least = sizes.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const most = sizes.reduce((a, b) => Math.max(a, b), 0);
  const facts = {
    rows: shard.rowCount,
    'row groups': sizes.length === 0 ? 0 : `${sizes.length} of ${least} to ${most} rows`,
    size: `${shard.sizeBytes} bytes`,
    version: shard.version,
  };
  return { kind: 'parquet shard', uri: shard.uri, facts, tables: { columns: columnsOf(shard) } };
}

function columnsOf({ schema, unreadableColumns }: ParquetShard): string[][] {
  return [
    ['column', 'type'],
    ...schema.fields.map(({ name, type }) => [name, typeText(type)]),
    ...[...unreadableColumns].map(([name, reason]) => [name, `unreadable: ${reason}`]),
  ];
}

/** Shards whose footers are read of a folder: others are only counted. */
const MOST_FOOTERS = 64;
const FOOTERS_AT_A_TIME = 8;

/**
 * The shards below a folder, and how alike they are by their footers. What is broken is named, and the others are told of.
 * @returns undefined for a folder without a shard
 * @throws StorageError INPUT_IS_TABLE, STORAGE_*
 */
export async function describeShardFolder(uri: string): Promise<Description | undefined> {
  const { shards, others } = await findShards(uri);
  if (shards.length === 0) return undefined;
  const read = spreadShards(shards, MOST_FOOTERS);
  const looked = await mapConcurrently(read, FOOTERS_AT_A_TIME, async (listed) => {
    const path = listed.relativePath;
    try {
      return await withShard(listed.uri, listed, (shard) => ({
        path,
        rows: shard.rowCount,
        columns: columnsOf(shard),
      }));
    } catch (error) {
      // What may be readable in a moment is not broken.
      if (!(error instanceof Ncs4cvrError) || error.retryable) throw error;
      return { shard: path, message: error.message };
    }
  });
  const opened = looked.flatMap((each) => ('columns' in each ? [each] : []));
  const broken = looked.flatMap((each) => ('message' in each ? [each] : []));
  const columns = opened[0]?.columns ?? [];
  const schema = JSON.stringify(columns);
  const unlike = opened.filter((shard) => JSON.stringify(shard.columns) !== schema);
  const rows = opened.reduce((sum, shard) => sum + shard.rows, 0);
  const facts = {
    shards: shards.length,
    size: `${shards.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)} bytes`,
    rows: opened.length === shards.length ? rows : `${rows} in ${opened.length} shards that were looked at`,
    'from, to': `${shards[0]!.relativePath}, ${shards.at(-1)!.relativePath}`,
    columns:
      opened.length === 0
        ? 'none: no shard that was looked at can be read'
        : unlike.length === 0
          ? 'the same in each shard that was looked at'
          : `those of ${opened[0]!.path}; others in ${unlike.length} of ${opened.length}, such as ${unlike[0]!.path}`,
    ...(broken.length > 0 && { broken: `${broken.length} of ${read.length}, see below` }),
    ...(others.length > 0 && {
      'no shards': `${others.length}, such as ${others[0]!.relativePath}`,
    }),
  };
  return {
    ...{ kind: 'folder of shards', uri, facts },
    tables: columns.length === 0 ? {} : { columns },
    ...(broken.length > 0 && { broken }),
  };
}
