import { BufferType, type Data, DataType, RecordBatch } from 'apache-arrow';
import { isBitSet, isValid } from '../base/arrowColumns.ts';
import { concatenated } from '../base/concatenated.ts';

/**
 * The rows of all batches in one. Its bytes don't tell how the rows came to be in batches: which shards are decoded together
 * depends on what other files were read meanwhile.
 * @param batches one at least, with the same columns of the same types: those that row keys, labels and users can have
 */
export function joinBatches(batches: readonly RecordBatch[]): RecordBatch {
  const { schema, data } = batches[0]!;
  const children = schema.fields.map((_, index) =>
    joined(batches.map((batch) => batch.data.children[index]!)),
  );
  const rowCount = batches.reduce((sum, batch) => sum + batch.numRows, 0);
  return new RecordBatch(schema, data.clone(data.type, 0, rowCount, 0, undefined, children));
}

function joined(columns: readonly Data[]): Data {
  const [first] = columns;
  if (columns.length === 1 && first!.nullCount === 0) return first!;
  const { type } = first!;
  const length = columns.reduce((sum, column) => sum + column.length, 0);
  const validity = validityOf(columns, length);
  if (DataType.isNull(type)) return first!.clone(type, 0, length, length);
  const withBuffers = (values: Data['values'], offsets?: Int32Array): Data =>
    first!.clone(type, 0, length, validity.nullCount, {
      [BufferType.OFFSET]: offsets as Data['valueOffsets'],
      [BufferType.DATA]: values,
      [BufferType.VALIDITY]: validity.bitmap,
      [BufferType.TYPE]: first!.typeIds,
    });
  if (DataType.isBool(type)) return withBuffers(bitsOf(columns, length, bitAt));
  if (DataType.isUtf8(type) || DataType.isBinary(type)) {
    const bytes = columns.map(({ values, valueOffsets, length: rows }) =>
      (values as Uint8Array).subarray(valueOffsets[0]!, valueOffsets[rows]!),
    );
    return withBuffers(oneAfterTheOther(bytes), joinedOffsets(columns, length));
  }
  const width = DataType.isDecimal(type)
    ? type.bitWidth / 32
    : DataType.isFixedSizeBinary(type)
      ? type.byteWidth
      : 1;
  return withBuffers(
    oneAfterTheOther(
      columns.map((column) => (column.values as Uint8Array).subarray(0, width * column.length)),
    ),
  );
}

/** Arrays of one type. */
function oneAfterTheOther(arrays: readonly Uint8Array[]): Uint8Array {
  const Values = arrays[0]!.constructor as Uint8ArrayConstructor;
  return concatenated(arrays, (length) => new Values(length));
}

function joinedOffsets(columns: readonly Data[], length: number): Int32Array {
  const offsets = new Int32Array(length + 1);
  let at = 0;
  for (const { valueOffsets, length: rows } of columns) {
    const shift = offsets[at]! - valueOffsets[0]!;
    for (let row = 0; row < rows; row++) offsets[++at] = valueOffsets[row + 1]! + shift;
  }
  return offsets;
}

function validityOf(columns: readonly Data[], length: number) {
  const nullCount = columns.reduce((sum, column) => sum + column.nullCount, 0);
  const bitmap = nullCount === 0 ? new Uint8Array(0) : bitsOf(columns, length, isValid);
  return { nullCount, bitmap };
}

function bitsOf(
  columns: readonly Data[],
  length: number,
  isSet: (column: Data, row: number) => boolean,
): Uint8Array {
  const bits = new Uint8Array((length + 7) >> 3);
  let at = 0;
  for (const column of columns) {
    for (let row = 0; row < column.length; row++, at++) {
      if (isSet(column, row)) bits[at >> 3]! |= 1 << (at & 7);
    }
  }
  return bits;
}

function bitAt({ values, offset }: Data, row: number): boolean {
  return isBitSet(values as Uint8Array, offset + row);
}
