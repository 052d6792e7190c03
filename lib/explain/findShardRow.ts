import type { RecordBatch } from 'apache-arrow';
import { RowKeyBytes } from '../arrow/rowKeyBytes.ts';
import { messageOf, StorageError } from '../base/errors.ts';
import { type ParquetShard, withShard } from '../parquet/openShard.ts';
import { readRowGroup } from '../parquet/readRowGroup.ts';
import type { Part } from '../publish/part.ts';
import { type Span, shardUri } from '../publish/span.ts';
import type { ScoredRow } from './findScoredRow.ts';

/** Where a scored row came from. */
export interface ShardPlace {
  readonly uri: string;
  /** That was planned, and scored. */
  readonly version: string;
  readonly rowGroup: number;
  /** From the row group's first row. */
  readonly row: number;
}

/** A row of a shard, in a batch of the columns asked for. */
export interface ShardRow {
  readonly place: ShardPlace;
  readonly batch: RecordBatch;
  /** In the batch. */
  readonly row: number;
}

/** Why the shards don't have the row as it was scored: one has changed, or is gone. */
export interface GoneRow {
  readonly gone: string;
}

/**
 * Finds a published row in the shards that its part was made of. Rows stand in the order of the spans, so that it is looked
 * for at its place first; where other rows were left out it is one of the others. Of a repeated key it is the first row that
 * could be scored.
 * @param columnsOf the columns to read of a shard, those of the keys among them
 */
export async function findShardRow(
  { spans, rows }: Part,
  inputUri: string,
  { row, keyColumns, keyBytes }: Pick<ScoredRow, 'row' | 'keyColumns' | 'keyBytes'>,
  columnsOf: (shard: ParquetShard) => readonly string[],
): Promise<ShardRow | GoneRow> {
  const isKey = (keys: RowKeyBytes, at: number) => {
    const length = keys.read(at);
    return Buffer.compare(keyBytes, keys.bytes.subarray(0, length)) === 0;
  };
  let spanStart = 0;
  const placed = spans.map((span) => {
    const start = spanStart;
    spanStart += span.rows;
    return { span, start };
  });
  const isAt = ({ span, start }: (typeof placed)[number]) => row >= start && row < start + span.rows;
  const ordered = [...placed.filter(isAt), ...placed.filter((each) => !isAt(each))];
  try {
    for (const { span, start } of ordered) {
      const found = await inSpan(span, inputUri, row - start, keyColumns, isKey, columnsOf);
      if (found !== undefined) return found;
    }
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    if (error.code !== 'STORAGE_FILE_CHANGED' && error.code !== 'STORAGE_NOT_FOUND') throw error;
    return { gone: messageOf(error) };
  }
  return { gone: `none of the ${rows} rows that the part was made of has these keys any more` };
}

/** @param hint the row's place in the span, if it is in this one */
async function inSpan(
  { shard: name, version, sizeBytes, firstRowGroup, endRowGroup }: Span,
  inputUri: string,
  hint: number,
  keyColumns: readonly string[],
  isKey: (keys: RowKeyBytes, row: number) => boolean,
  columnsOf: (shard: ParquetShard) => readonly string[],
): Promise<ShardRow | undefined> {
  const uri = shardUri(inputUri, name);
  return withShard(uri, { version, sizeBytes }, async (shard) => {
    const firstRow = shard.rowGroups[firstRowGroup]?.rowStart ?? 0;
    const groups = shard.rowGroups.slice(firstRowGroup, endRowGroup).map(({ rowStart, rowCount }, index) => ({
      rowGroup: firstRowGroup + index,
      /** Of the row looked for, if it is in this row group. */
      hint: hint - (rowStart - firstRow),
      rowCount,
    }));
    const isHinted = (group: (typeof groups)[number]) => group.hint >= 0 && group.hint < group.rowCount;
    const ordered = [...groups.filter(isHinted), ...groups.filter((group) => !isHinted(group))];
    for (const group of ordered) {
      const places = await inRowGroup(shard, group.rowGroup, group.hint, keyColumns, isKey);
      if (places.length === 0) continue;
      const { batches, badRows } = await readWithBadRows(shard, group.rowGroup, columnsOf(shard));
      // One that was left out for a value of a feature has a row's keys, but isn't it.
      const place = places.find((at) => !badRows.has(at));
      if (place === undefined) continue;
      const { batch, row } = batchAt(batches, place);
      return { place: { uri, version, rowGroup: group.rowGroup, row: place }, batch, row };
    }
    return undefined;
  });
}

/** Reads the keys alone. @returns places in the row group of the rows that have them: the hint before all others */
async function inRowGroup(
  shard: ParquetShard,
  rowGroup: number,
  hint: number,
  keyColumns: readonly string[],
  isKey: (keys: RowKeyBytes, row: number) => boolean,
): Promise<number[]> {
  const keys = new RowKeyBytes(keyColumns);
  let start = 0;
  const places: number[] = [];
  const { batches, badRows } = await readWithBadRows(shard, rowGroup, keyColumns);
  for (const batch of batches) {
    keys.use(batch);
    for (let row = 0; row < batch.numRows; row++) {
      if (!badRows.has(start + row) && isKey(keys, row)) places.push(start + row);
    }
    start += batch.numRows;
  }
  return places.includes(hint) ? [hint, ...places.filter((place) => place !== hint)] : places;
}

/** @returns the rows, and the places of those that can't be decoded: they come back with others' values in the place of theirs */
async function readWithBadRows(
  shard: ParquetShard,
  rowGroup: number,
  columns: readonly string[],
): Promise<{ readonly batches: readonly RecordBatch[]; readonly badRows: ReadonlySet<number> }> {
  const badRows = new Set<number>();
  const batches = await readRowGroup(shard, rowGroup, columns, { onBadCell: ({ row }) => badRows.add(row) });
  return { batches, badRows };
}

function batchAt(
  batches: readonly RecordBatch[],
  place: number,
): { readonly batch: RecordBatch; readonly row: number } {
  let start = 0;
  for (const batch of batches) {
    if (place < start + batch.numRows) return { batch, row: place - start };
    start += batch.numRows;
  }
  throw new RangeError(`row ${place} of ${start}`);
}
