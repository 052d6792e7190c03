import type { RecordBatch } from 'apache-arrow';
import { allOrFirstError } from '../base/allOrFirstError.ts';
import { withDayOfPath } from '../base/dayOfPath.ts';
import type { RandomAccessFile } from '../storage/storage.ts';
import { decodeRowGroups } from './decodeRowGroups.ts';
import type { ParquetShard } from './openShard.ts';
import { type RowGroupReads, rowGroupReads } from './rowGroupReads.ts';
import type { BadCell } from './textColumns.ts';

export interface ReadOptions {
  /** Rows in every batch but a row group's last. Default 65,536. */
  readonly batchRows?: number;
  /** As in decodeRowGroups: told of values that can't be decoded; without it, they are errors. */
  readonly onBadCell?: (cell: BadCell) => void;
}

/**
 * Reads some top-level columns of one row group. Only the bytes of their column chunks are read. Memory: those bytes, the
 * decoded batches (both garbage collected), and WASM memory for about 32 MiB of columns or the largest column.
 *
 * @param columns at least one; the batches have them in this order
 * @returns batches in row order, with the date in the shard's path, none for an empty row group; a null slot's value is undefined, read the validity bitmap
 * @throws Ncs4cvrError with codes of rowGroupReads and decodeRowGroups; StorageError of the file
 */
export async function readRowGroup(
  shard: ParquetShard,
  rowGroup: number,
  columns: readonly string[],
  { batchRows, onBadCell }: ReadOptions = {},
): Promise<RecordBatch[]> {
  if (columns.length === 0) throw new RangeError('readRowGroup needs at least one column');
  if (batchRows !== undefined && (!Number.isSafeInteger(batchRows) || batchRows < 1)) {
    throw new RangeError(`batchRows is ${batchRows}`);
  }
  const reads = rowGroupReads(shard, rowGroup, columns);
  if (reads.rowCount === 0) return [];
  const buffer = await readRanges(shard.file, reads);
  const onCell = onBadCell && ((_: unknown, cell: BadCell) => onBadCell(cell));
  const batches = decodeRowGroups([{ uri: shard.uri, reads, buffer }], {
    ...(batchRows === undefined ? {} : { batchRows }),
    ...(onCell === undefined ? {} : { onBadCell: onCell }),
  });
  return batches.map((batch) => withDayOfPath(batch, shard.uri));
}

/** Reads what `rowGroupReads` worked out. @throws StorageError of the file */
export async function readRanges(
  file: RandomAccessFile,
  { bufferBytes, ranges }: RowGroupReads,
): Promise<Uint8Array> {
  // allocUnsafeSlow: not zeroed, not from Node's shared pool. Every byte is overwritten or the read throws.
  const buffer = Buffer.allocUnsafeSlow(bufferBytes);
  const reads = ranges.map(({ startByte, endByte, targetByte }) =>
    file.readInto(buffer.subarray(targetByte, targetByte + endByte - startByte), startByte),
  );
  await allOrFirstError(reads);
  return buffer;
}
