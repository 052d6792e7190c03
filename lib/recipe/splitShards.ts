import type { ColumnRequirement } from '../base/arrowColumns.ts';
import { Ncs4cvrError } from '../base/errors.ts';
import { checkColumns } from '../parquet/checkColumns.ts';
import { openShard } from '../parquet/openShard.ts';
import { readRecordBatches, type ShardBatch } from '../parquet/readRecordBatches.ts';
import { listShards } from '../storage/listShards.ts';
import { storageFor } from '../storage/openStorage.ts';
import type { ListedFile } from '../storage/storage.ts';
import type { SplitConfig } from './trainingConfig.ts';

/** Rows [rowStart, rowEnd) of a shard. */
export interface ShardRows {
  readonly uri: string;
  readonly rowStart: number;
  readonly rowEnd: number;
}

export interface DataSplit {
  /** Where the shards lie. */
  readonly uri: string;
  readonly training: readonly ShardRows[];
  readonly validation: readonly ShardRows[];
  /** What a comparison is reported on; neither trained nor chosen on. Empty when the config names none. */
  readonly report: readonly ShardRows[];
  /** The split in words, for the training record. */
  readonly trainingText: string;
  readonly validationText: string;
  readonly reportText: string;
  /** Every shard found, used or not, with the version of its bytes: what tells these data from others. */
  readonly listing: readonly ShardVersion[];
}

export type ShardVersion = Pick<ListedFile, 'relativePath' | 'sizeBytes' | 'version'>;

/**
 * Assigns the rows of the shards at a URI to training, validation and report.
 * @throws Ncs4cvrError TRAINING_SPLIT_EMPTY when a side has no rows, TRAINING_NO_DATE for a shard outside of dt=
 * partitions
 */
export async function splitShards(dataUri: string, split: SplitConfig): Promise<DataSplit> {
  const { shards } = await listShards(dataUri);
  const sides =
    split.by === 'date'
      ? await splitByDate(dataUri, shards, split)
      : await splitByFraction(dataUri, shards, split.validation, split.report ?? 0);
  return { uri: dataUri, ...sides, listing: shards.map(versionOf) };
}

/** The listing of `splitShards` as it is now, without opening a shard. */
export async function listVersions(dataUri: string): Promise<ShardVersion[]> {
  return (await listShards(dataUri)).shards.map(versionOf);
}

function versionOf({ relativePath, sizeBytes, version }: ListedFile): ShardVersion {
  return { relativePath, sizeBytes, version };
}

type SplitSides = Omit<DataSplit, 'uri' | 'listing'>;
type DateSplit = Extract<SplitConfig, { by: 'date' }>;

async function splitByDate(
  dataUri: string,
  shards: readonly ListedFile[],
  split: DateSplit,
): Promise<SplitSides> {
  const within = async (range: DateSplit['train'], side: string) => {
    const chosen = shards.filter((shard) => {
      const date = dateOf(shard);
      return date >= range.from && date <= range.to;
    });
    const rows = await wholeShards(chosen);
    if (rows.every(({ rowEnd }) => rowEnd === 0)) {
      throw new Ncs4cvrError('TRAINING_SPLIT_EMPTY', `no rows to use for ${side}`, {
        file: dataUri,
        expected: `rows in partitions dt=${range.from} to dt=${range.to}`,
        found: [...new Set(shards.map(dateOf))].join(', '),
      });
    }
    return rows;
  };
  const text = (range: DateSplit['train']) => `dt=${range.from} to dt=${range.to}`;
  return {
    training: await within(split.train, 'training'),
    validation: await within(split.validation, 'validation'),
    report: split.report === undefined ? [] : await within(split.report, 'the report'),
    trainingText: text(split.train),
    validationText: text(split.validation),
    reportText: split.report === undefined ? 'none' : text(split.report),
  };
}

/** Of the innermost partition: the data's own folder may lie in a `dt=` folder too. */
function dateOf(shard: ListedFile): string {
  const date = /^.*(?:^|\/)dt=(\d{4}-\d{2}-\d{2})\//s.exec(shard.uri)?.[1];
  if (date !== undefined) return date;
  throw new Ncs4cvrError('TRAINING_NO_DATE', 'a split by date needs date partitions', {
    file: shard.uri,
    expected: 'a folder dt=YYYY-MM-DD in its path',
  });
}

async function splitByFraction(
  dataUri: string,
  shards: readonly ListedFile[],
  validation: number,
  report: number,
): Promise<SplitSides> {
  const whole = await wholeShards(shards);
  const rowCount = whole.reduce((sum, { rowEnd }) => sum + rowEnd, 0);
  const reportStart = rowCount - Math.round(rowCount * report);
  const boundary = reportStart - Math.round(rowCount * validation);
  if (boundary <= 0 || boundary === reportStart || (report > 0 && reportStart === rowCount)) {
    throw new Ncs4cvrError('TRAINING_SPLIT_EMPTY', 'too few rows to split', {
      file: dataUri,
      expected: `at least one row on each side of ${report > 0 ? `${validation} and ${report}` : validation}`,
      found: `${rowCount} rows`,
    });
  }
  const cut = (from: number, to: number): ShardRows[] => {
    let shardStart = 0;
    return whole.flatMap((shard) => {
      const rowStart = Math.max(0, from - shardStart);
      const rowEnd = Math.min(shard.rowEnd, to - shardStart);
      shardStart += shard.rowEnd;
      return rowStart < rowEnd ? [{ uri: shard.uri, rowStart, rowEnd }] : [];
    });
  };
  return {
    training: cut(0, boundary),
    validation: cut(boundary, reportStart),
    report: cut(reportStart, rowCount),
    trainingText: `the first ${boundary} rows`,
    validationText: `${report > 0 ? 'the next' : 'the last'} ${reportStart - boundary} rows`,
    reportText: report > 0 ? `the last ${rowCount - reportStart} rows` : 'none',
  };
}

/** One after the other: a year of hourly shards is more files than a process may open at once. */
async function wholeShards(shards: readonly ListedFile[]): Promise<ShardRows[]> {
  const rows: ShardRows[] = [];
  for (const { uri } of shards) {
    const file = await storageFor(uri).open(uri);
    try {
      rows.push({ uri, rowStart: 0, rowEnd: (await openShard(file)).rowCount });
    } finally {
      await file.close();
    }
  }
  return rows;
}

/** Streams the wanted columns of rows of shards, checking every shard's columns first. */
export async function* readShardRows(
  rows: readonly ShardRows[],
  wanted: readonly ColumnRequirement[],
): AsyncGenerator<ShardBatch> {
  for (const { uri, rowStart, rowEnd } of rows) {
    const file = await storageFor(uri).open(uri);
    try {
      const shard = await openShard(file);
      const absent = checkColumns(shard, wanted);
      const columns = [...new Set(wanted.map(({ column }) => column))].filter((name) => !absent.has(name));
      const rowGroups = [...shard.rowGroups.keys()].filter((index) => {
        const group = shard.rowGroups[index]!;
        return group.rowStart < rowEnd && group.rowStart + group.rowCount > rowStart;
      });
      for await (const { batch, ...place } of readRecordBatches(shard, columns, { rowGroups })) {
        const start = Math.max(0, rowStart - place.rowStart);
        const end = Math.min(batch.numRows, rowEnd - place.rowStart);
        if (start < end) yield { ...place, rowStart: place.rowStart + start, batch: batch.slice(start, end) };
      }
    } finally {
      await file.close();
    }
  }
}
