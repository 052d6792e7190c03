import type { Field } from 'apache-arrow';
import { Ncs4cvrError, StorageError } from '../base/errors.ts';
import { type ParquetShard, withShard } from '../parquet/openShard.ts';
import { readRowGroup } from '../parquet/readRowGroup.ts';
import { inputUriOf, listShards, type ShardInput, spreadShards } from '../storage/listShards.ts';
import { storageFor } from '../storage/openStorage.ts';
import type { ListedFile } from '../storage/storage.ts';
import { joinUri } from '../storage/uri.ts';
import { type ColumnSample, ColumnSampler } from './columnSample.ts';
import { daysOf, type GuessedLayout, guessLayout } from './guessLayout.ts';

/** Rows of real shards, and what stands around them. */
export interface ShardSample extends GuessedLayout {
  /** Folder that the partitions lie in, the shard itself, or the list of the files. */
  readonly input: string;
  /** The input is one shard, and no list. */
  readonly isFile: boolean;
  readonly shardCount: number;
  readonly sampledShards: number;
  readonly sampledRows: number;
  readonly ignored: readonly string[];
  /** Which of the folders that the sampled shards lie in have a MARKER_FILE. */
  readonly markers: 'all' | 'some' | 'none';
  /** Shards that the sample passed over, in the words of their errors. */
  readonly broken: readonly string[];
  /** In the order of the first shard. */
  readonly columns: readonly ColumnSample[];
}

/** One that could be read. */
interface SampledShard {
  /** Below the input. */
  readonly folder: string;
  readonly columns: ReadonlySet<string>;
}

/** What Spark and Hadoop leave in a folder that they have written whole. */
export const MARKER_FILE = '_SUCCESS';
const MOST_SHARDS = 12;
const MOST_ROWS = 60_000;

/**
 * Reads the beginning of a dozen shards, spread over all of them so that as many days as possible are seen.
 * A broken one is passed over, as long as there is another: a proposal needs some rows, not all.
 * @throws StorageError INPUT_EMPTY, without a row too; the errors of openShard and readRowGroup where no shard could be read
 */
export async function sampleShards(source: ShardInput): Promise<ShardSample> {
  const input = inputUriOf(source);
  const { shards: listed, ignored } = await listShards(source);
  const shards = typeof source === 'string' ? listed : listed.map(withPartitionPath);
  const chosen = spreadShards(shards, MOST_SHARDS);
  const { sampled, broken, rows, samplers, unreadable } = await readBeginnings(chosen);
  if (broken.length === chosen.length) throw broken[0]!;
  // Columns without values look as if their names had been guessed wrong.
  if (rows === 0) {
    throw new StorageError('INPUT_EMPTY', 'the shards have no rows to look at', {
      file: input,
      expected: 'labelled rows',
      found: `no row in the ${sampled.length} that were read, of ${shards.length}`,
    });
  }
  const layout = guessLayout(
    shards.map(({ uri, relativePath }) => (uri === input ? '.' : folderOf(relativePath))),
  );
  const spanOf = spansOfDays(layout.layout, sampled);
  const readable = [...samplers.values()].filter(({ name }) => !unreadable.has(name));
  return {
    ...layout,
    input,
    isFile: shards.length === 1 && shards[0]!.uri === input,
    shardCount: shards.length,
    sampledShards: sampled.length,
    sampledRows: rows,
    ignored,
    markers: await markersBeside(chosen),
    broken: broken.map(({ message }) => message),
    columns: [
      ...readable.map((sampler) => {
        const having = sampled.filter(({ columns }) => columns.has(sampler.name));
        return sampler.sample(sampled.length - having.length, spanOf(having));
      }),
      ...[...unreadable].map(([name, reason]) => unreadableColumn(name, reason)),
    ],
  };
}

/** What was read of the chosen shards. */
interface Beginnings {
  readonly sampled: readonly SampledShard[];
  readonly broken: readonly Ncs4cvrError[];
  readonly rows: number;
  readonly samplers: ReadonlyMap<string, ColumnSampler>;
  /** Columns that can't be decoded, in one shard or more, and why. */
  readonly unreadable: ReadonlyMap<string, string>;
}

async function readBeginnings(chosen: readonly ListedFile[]): Promise<Beginnings> {
  const samplers = new Map<string, ColumnSampler>();
  const unreadable = new Map<string, string>();
  const sampled: SampledShard[] = [];
  const broken: Ncs4cvrError[] = [];
  const mostRows = Math.ceil(MOST_ROWS / chosen.length);
  let rows = 0;
  for (const listed of chosen) {
    const reading = withShard(listed.uri, listed, async (shard) => {
      for (const [name, reason] of shard.unreadableColumns) unreadable.set(name, reason);
      const fields = shard.schema.fields.filter(({ name }) => !unreadable.has(name));
      const filled = shard.rowGroups.findIndex(({ rowCount }) => rowCount > 0);
      const isEmpty = filled < 0 || fields.length === 0;
      const count = isEmpty ? 0 : await sampleRowGroup(shard, filled, fields, mostRows, samplers, rows);
      sampled.push({
        folder: folderOf(listed.relativePath),
        columns: new Set(fields.map(({ name }) => name)),
      });
      return count;
    });
    rows += await reading.catch((error: unknown) => {
      if (!(error instanceof Ncs4cvrError) || !error.code.startsWith('SHARD_')) throw error;
      broken.push(error);
      return 0;
    });
  }
  return { sampled, broken, rows, samplers, unreadable };
}

/** A list's files go by their whole paths, as a job takes them: of one day alone the path below their common folder has no day. */
function withPartitionPath(file: ListedFile): ListedFile {
  const names = file.uri.split('/');
  const start = names.findLastIndex((name, index) => index < names.length - 1 && !name.includes('=')) + 1;
  return start === names.length - 1 ? file : { ...file, relativePath: names.slice(start).join('/') };
}

/** Tells the days of those sampled shards that have a column. */
function spansOfDays(
  layout: string | undefined,
  sampled: readonly SampledShard[],
): (having: readonly SampledShard[]) => ColumnSample['span'] {
  const dayOf = new Map(
    sampled.flatMap(({ folder }) =>
      layout === undefined ? [] : daysOf(layout, [folder]).map((day) => [folder, day] as const),
    ),
  );
  const newestSampled = [...dayOf.values()].sort().at(-1);
  return (having) => {
    const days = having.flatMap(({ folder }) => dayOf.get(folder) ?? []).sort();
    if (newestSampled === undefined || days.length === 0) return undefined;
    return { first: days[0]!, last: days.at(-1)!, newestSampled };
  };
}

async function markersBeside(shards: readonly ListedFile[]): Promise<ShardSample['markers']> {
  const folders = [...new Set(shards.map(({ uri }) => folderOf(uri)))];
  const found = await Promise.all(
    folders.map((folder) => storageFor(folder).exists(joinUri(folder, MARKER_FILE))),
  );
  if (found.every((isThere) => isThere)) return 'all';
  return found.some((isThere) => isThere) ? 'some' : 'none';
}

async function sampleRowGroup(
  shard: ParquetShard,
  rowGroup: number,
  fields: readonly Field[],
  mostRows: number,
  samplers: Map<string, ColumnSampler>,
  rowsBefore: number,
): Promise<number> {
  const batches = await readRowGroup(
    shard,
    rowGroup,
    fields.map(({ name }) => name),
  );
  let rows = 0;
  for (const batch of batches) {
    const count = Math.min(batch.numRows, mostRows - rows);
    for (const { name, type } of fields) {
      let sampler = samplers.get(name);
      if (sampler === undefined) {
        sampler = new ColumnSampler(name, type);
        // Shards before it had no such column.
        sampler.addMissing(rowsBefore + rows);
        samplers.set(name, sampler);
      }
      sampler.addRows(batch, count);
    }
    rows += count;
    if (rows === mostRows) break;
  }
  const names = new Set(fields.map(({ name }) => name));
  for (const [name, sampler] of samplers) {
    if (!names.has(name)) sampler.addMissing(rows);
  }
  return rows;
}

/** Of a path or URI; `.` of a name alone. */
export function folderOf(path: string): string {
  return path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '.';
}

function unreadableColumn(name: string, reason: string): ColumnSample {
  return {
    name,
    type: 'unreadable',
    kind: 'other',
    canBeKey: false,
    unreadable: reason,
    values: [],
    whole: [],
    nulls: 0,
    absentShards: 0,
    counts: new Map(),
  };
}
