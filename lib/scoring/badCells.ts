import type { RecordBatch } from 'apache-arrow';
import { columnOf } from '../base/arrowColumns.ts';
import { forEachNull } from '../features/columnValues.ts';
import type { BadCell } from '../parquet/textColumns.ts';
import { gatherRows } from './gatherRows.ts';

/** A value for which a row isn't scored. A row with several of them has one for each column. */
export interface BadRowCell {
  /** Place of the row group in the request. */
  readonly rowGroup: number;
  /** From the row group's first row. */
  readonly row: number;
  readonly column: string;
  readonly reason: BadCell['reason'] | 'KEY_NULL';
  /** As text; null where there is none. */
  readonly value: string | null;
}

/** The rows of a request that can be scored, and why the others can't. */
interface GoodRows {
  readonly batches: readonly RecordBatch[];
  /** By row group, row, and column in the order of the batches. */
  readonly badCells: readonly BadRowCell[];
}

/**
 * Leaves out rows without a row key, and those that couldn't be decoded.
 * @param rowCounts of the row groups, whose rows the batches hold one after the other
 * @param undecoded what decodeRowGroups has reported
 * @returns the same batches where all rows are good, others without the bad rows otherwise
 */
export function withoutBadRows(
  batches: readonly RecordBatch[],
  rowCounts: readonly number[],
  rowKeys: readonly string[],
  undecoded: readonly BadRowCell[],
): GoodRows {
  const cells = [...undecoded, ...nullKeys(batches, rowCounts, rowKeys)];
  if (cells.length === 0) return { batches, badCells: [] };
  const starts = startsOf(rowCounts);
  const badRows = new Set(cells.map(({ rowGroup, row }) => starts[rowGroup]! + row));
  let start = 0;
  const good = batches.map((batch) => {
    const rows = Array.from({ length: batch.numRows }, (_, row) => row).filter(
      (row) => !badRows.has(start + row),
    );
    start += batch.numRows;
    return rows.length === batch.numRows ? batch : gatherRows(batch, Int32Array.from(rows));
  });
  const columns = batches[0]!.schema.fields.map(({ name }) => name);
  const placeOf = ({ column }: BadRowCell) => columns.indexOf(column);
  cells.sort((a, b) => a.rowGroup - b.rowGroup || a.row - b.row || placeOf(a) - placeOf(b));
  return { batches: good, badCells: cells };
}

function nullKeys(
  batches: readonly RecordBatch[],
  rowCounts: readonly number[],
  rowKeys: readonly string[],
): BadRowCell[] {
  const starts = startsOf(rowCounts);
  const cells: BadRowCell[] = [];
  let start = 0;
  for (const batch of batches) {
    for (const column of rowKeys) {
      const key = columnOf(batch, column);
      if (key === undefined) continue;
      forEachNull(key, 0, batch.numRows, (row) => {
        const rowGroup = starts.findLastIndex((first) => first <= start + row);
        cells.push({
          rowGroup,
          row: start + row - starts[rowGroup]!,
          column,
          reason: 'KEY_NULL',
          value: null,
        });
      });
    }
    start += batch.numRows;
  }
  return cells;
}

function startsOf(rowCounts: readonly number[]): number[] {
  let start = 0;
  return rowCounts.map((count) => {
    const first = start;
    start += count;
    return first;
  });
}

/**
 * Where a row of those that are left stands in its row group.
 * @param rowGroups of a request; the rows of each that it asks for
 * @param badCells of rows that were left out, sorted
 */
export function placeOfRow(
  row: number,
  rowGroups: readonly { readonly start: number; readonly end: number }[],
  badCells: readonly BadRowCell[],
): { readonly rowGroup: number; readonly row: number } {
  let left = row;
  for (const [rowGroup, { start, end }] of rowGroups.entries()) {
    const bad = badCells.filter((cell) => cell.rowGroup === rowGroup);
    const goodRows = end - start - countBadRows(bad);
    if (left >= goodRows) {
      left -= goodRows;
      continue;
    }
    let found = start + left;
    for (const badRow of new Set(bad.map((cell) => cell.row))) if (badRow <= found) found++;
    return { rowGroup, row: found };
  }
  throw new RangeError(`row ${row} is none of the request's`);
}

/** Rows that have a bad value, in cells of one row group that are sorted by row. */
export function countBadRows(cells: readonly Pick<BadRowCell, 'row'>[]): number {
  return cells.filter(({ row }, index) => row !== cells[index - 1]?.row).length;
}
