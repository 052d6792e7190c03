import type { ColumnRequirement } from '../base/arrowColumns.ts';
import { calendarDayAt } from '../base/calendarDay.ts';
import { Ncs4cvrError } from '../base/errors.ts';
import { isInRange } from '../job/listPartitions.ts';
import { DEFAULT_LAYOUT, parsePartitionLayout } from '../job/partitionLayout.ts';
import { checkColumns } from '../parquet/checkColumns.ts';
import { openShard, withShard } from '../parquet/openShard.ts';
import { readRecordBatches, type ShardBatch } from '../parquet/readRecordBatches.ts';
import { inputUriOf, listShards, type ShardInput, shardMatcher } from '../storage/listShards.ts';
import { storageFor } from '../storage/openStorage.ts';
import type { FileStat, ListedFile } from '../storage/storage.ts';
import { daysOfShards, daysWithout } from './daysOfShards.ts';
import type { SplitConfig } from './trainingConfig.ts';

/** Rows [rowStart, rowEnd) of a shard. */
export interface ShardRows {
  readonly uri: string;
  readonly rowStart: number;
  readonly rowEnd: number;
  /** YYYY-MM-DD; absent in a split by fraction. */
  readonly day?: string | undefined;
  /** The version that these rows are of; the one that is there when they are read, if it isn't said. */
  readonly listed?: FileStat;
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
  /** YYYY-MM-DD: newest of all the data, today at most, which label maturity counts from; absent in a split by fraction. */
  readonly newestDay?: string | undefined;
  /** What was found otherwise than one may expect: partitions and files passed over, days without a partition. */
  readonly notes: readonly string[];
  /** Every shard found, used or not, with the version of its bytes: what tells these data from others. */
  readonly listing: readonly ShardVersion[];
}

export type ShardVersion = Pick<ListedFile, 'relativePath' | 'sizeBytes' | 'version'>;

/**
 * Assigns the rows of the shards at a URI, or of a list, to training, validation and report.
 * @throws Ncs4cvrError TRAINING_SPLIT_EMPTY when a side has no rows, TRAINING_NO_DATE for a shard outside of date
 * partitions
 */
export async function splitShards(data: ShardInput, split: SplitConfig): Promise<DataSplit> {
  const { shards, ignored } = await listShards(data);
  const dataUri = inputUriOf(data);
  const sides =
    split.by === 'date'
      ? await splitByDate(dataUri, shards, split)
      : await splitByFraction(dataUri, shards, split);
  const left =
    ignored.length === 0
      ? []
      : [
          ignored.length === 1
            ? '1 file that is no Parquet shard was left out'
            : `${ignored.length} files that are no Parquet shards were left out`,
        ];
  return { uri: dataUri, ...sides, notes: [...left, ...sides.notes], listing: shards.map(versionOf) };
}

/** The listing of `splitShards` as it is now, without opening a shard. */
export async function listVersions(dataUri: string): Promise<ShardVersion[]> {
  return (await listShards(dataUri)).shards.map(versionOf);
}

function versionOf({ relativePath, sizeBytes, version }: ListedFile): ShardVersion {
  return { relativePath, sizeBytes, version };
}

type FilesOfSides = Omit<DataSplit, 'uri' | 'listing'>;
type DateSplit = Extract<SplitConfig, { by: 'date' }>;
type FractionSplit = Extract<SplitConfig, { by: 'fraction' }>;

async function splitByDate(
  dataUri: string,
  shards: readonly ListedFile[],
  split: DateSplit,
): Promise<FilesOfSides> {
  const layout = parsePartitionLayout(split.partitions ?? DEFAULT_LAYOUT);
  const { byDay, skipped, others } = daysOfShards(shards, layout, shardMatcher(split.shardPattern));
  const dayOf = new Map([...byDay].flatMap(([day, ofDay]) => ofDay.map((shard) => [shard, day] as const)));
  const text = ({ from, to }: DateSplit['train']) =>
    layout.text === DEFAULT_LAYOUT ? `dt=${from} to dt=${to}` : `${from} to ${to} of ${layout.text}`;
  const notes = skipped.map(({ name, reason }) => `partition ${name} is part of no range: ${reason}`);
  if (others.length > 0) notes.push(leftOut(others, split.shardPattern!));
  const within = async (range: DateSplit['train'], side: string) => {
    const isWithin = (day: string | undefined) => day !== undefined && isInRange(day, range);
    const rows = await wholeShards(
      shards.filter((shard) => isWithin(dayOf.get(shard))),
      dayOf,
    );
    if (rows.every(({ rowEnd }) => rowEnd === 0)) {
      throw new Ncs4cvrError('TRAINING_SPLIT_EMPTY', `no rows to use for ${side}`, {
        file: dataUri,
        expected: `rows in partitions ${text(range)}`,
        found:
          rows.length > 0
            ? `${rows.length} of these shards, without a row`
            : [...byDay.keys(), ...skipped.map(({ name }) => name)].join(', '),
      });
    }
    const missing = daysWithout(byDay, range.from, range.to);
    if (missing === '') return { rows, text: text(range) };
    notes.push(`there is no partition of ${missing} for ${side}`);
    return { rows, text: `${text(range)} without ${missing}` };
  };
  const training = await within(split.train, 'training');
  const validation = await within(split.validation, 'validation');
  const report = split.report && (await within(split.report, 'the report'));
  return {
    training: training.rows,
    validation: validation.rows,
    report: report?.rows ?? [],
    trainingText: training.text,
    validationText: validation.text,
    reportText: report?.text ?? 'none',
    newestDay: newestOf(byDay.keys()),
    notes,
  };
}

/** A folder of a day to come, often the year 9999, says nothing about how far the data reach. */
function newestOf(days: Iterable<string>): string | undefined {
  const today = calendarDayAt(Date.now());
  return [...days]
    .filter((day) => day <= today)
    .sort()
    .at(-1);
}

/** What is said of shards that don't count, by their names. */
function leftOut(others: readonly ListedFile[], shardPattern: string): string {
  return `shards not named ${shardPattern} were left out: ${others.length}, such as ${others[0]!.relativePath}`;
}

async function splitByFraction(
  dataUri: string,
  shards: readonly ListedFile[],
  { validation, report = 0, shardPattern }: FractionSplit,
): Promise<FilesOfSides> {
  const counts = shardMatcher(shardPattern);
  const others = shards.filter(({ relativePath }) => !counts(relativePath));
  const whole = await wholeShards(shards.filter(({ relativePath }) => counts(relativePath)));
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
      return rowStart < rowEnd ? [{ ...shard, rowStart, rowEnd }] : [];
    });
  };
  return {
    training: cut(0, boundary),
    validation: cut(boundary, reportStart),
    report: cut(reportStart, rowCount),
    trainingText: `the first ${boundary} rows`,
    validationText: `${report > 0 ? 'the next' : 'the last'} ${reportStart - boundary} rows`,
    reportText: report > 0 ? `the last ${rowCount - reportStart} rows` : 'none',
    notes: others.length === 0 ? [] : [leftOut(others, shardPattern!)],
  };
}

/** One after the other: a year of hourly shards is more files than a process may open at once. */
async function wholeShards(
  shards: readonly ListedFile[],
  dayOf: ReadonlyMap<ListedFile, string> = new Map(),
): Promise<ShardRows[]> {
  const rows: ShardRows[] = [];
  for (const shard of shards) {
    const { uri, sizeBytes, version } = shard;
    const listed = { sizeBytes, version };
    const rowEnd = await withShard(uri, listed, ({ rowCount }) => rowCount);
    rows.push({ uri, rowStart: 0, rowEnd, day: dayOf.get(shard), listed });
  }
  return rows;
}

/** A batch of a shard, with the day of these rows. */
type DatedBatch = ShardBatch & Pick<ShardRows, 'day'>;

/**
 * Streams the wanted columns of rows of shards, checking every shard's columns first.
 * @throws StorageError STORAGE_FILE_CHANGED for a shard that was replaced since it was listed
 */
export async function* readShardRows(
  rows: readonly ShardRows[],
  wanted: readonly ColumnRequirement[],
): AsyncGenerator<DatedBatch> {
  for (const { uri, rowStart, rowEnd, day, listed } of rows) {
    const file = await storageFor(uri).open(uri, listed);
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
        if (start >= end) continue;
        yield { ...place, day, rowStart: place.rowStart + start, batch: batch.slice(start, end) };
      }
    } finally {
      await file.close();
    }
  }
}
