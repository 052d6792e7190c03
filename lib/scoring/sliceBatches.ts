import { BufferType, type Data, RecordBatch } from 'apache-arrow';
import { isBitSet, isRowKeyType } from '../base/arrowColumns.ts';

/** Rows [start, end) of all batches, on the same memory. Row keys are written to a file as if they had been decoded alone. */
export function sliceBatches(batches: readonly RecordBatch[], start: number, end: number): RecordBatch[] {
  const sliced: RecordBatch[] = [];
  let batchStart = 0;
  for (const batch of batches) {
    const from = Math.max(0, start - batchStart);
    const to = Math.min(batch.numRows, end - batchStart);
    if (from < to) sliced.push(from === 0 && to === batch.numRows ? batch : sliceBatch(batch, from, to));
    batchStart += batch.numRows;
  }
  return sliced;
}

function sliceBatch({ schema, data }: RecordBatch, from: number, to: number): RecordBatch {
  const children = data.children.map((column) => withOwnValidity(column.slice(from, to - from)));
  return new RecordBatch(schema, data.clone(data.type, 0, to - from, 0, undefined, children));
}

/**
 * apache-arrow 21.2 writes the validity of a slice with that of all rows behind it. Types that can't be row keys stay as they
 * are: they are never written, and booleans keep their values as bits too.
 */
function withOwnValidity(column: Data): Data {
  const { type, offset, length, nullCount, nullBitmap, valueOffsets, values, typeIds } = column;
  if (nullCount === 0 || !isRowKeyType(type)) return column;
  const own = new Uint8Array((length + 7) >> 3);
  for (let row = 0; row < length; row++) {
    if (isBitSet(nullBitmap, offset + row)) own[row >> 3]! |= 1 << (row & 7);
  }
  return column.clone(type, 0, length, nullCount, {
    [BufferType.OFFSET]: valueOffsets,
    [BufferType.DATA]: values,
    [BufferType.VALIDITY]: own,
    [BufferType.TYPE]: typeIds,
  });
}
