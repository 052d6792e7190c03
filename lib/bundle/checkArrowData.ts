import { type Data, DataType } from 'apache-arrow';

/**
 * Checks that a column's buffers hold what its length and offsets say. apache-arrow takes an IPC file's word for it: rows
 * that aren't there read as undefined, and a list that ends before it starts, or after two billion values, is walked through.
 * @param path what an error calls the column
 * @throws Error that says what is wrong
 */
export function checkArrowData(data: Data, path: string): void {
  const { length, nullBitmap, children } = data;
  if (DataType.isNull(data.type)) return;
  const bits = data.offset + length;
  if (data.nullCount > 0 && 8 * (nullBitmap?.length ?? 0) < bits)
    throw new Error(`${path}: nulls of ${length} rows`);
  const offsets = data.valueOffsets as Int32Array | undefined;
  if (offsets !== undefined && length > 0) {
    const available = children[0]?.length ?? (data.values as Uint8Array).length;
    if (offsets.length <= length || offsets[0]! < 0 || offsets[length]! > available) {
      throw new Error(`${path}: values beyond the ${available} that are there`);
    }
    for (let row = 0; row < length; row++) {
      if (offsets[row]! > offsets[row + 1]!) throw new Error(`${path}: row ${row} ends before it starts`);
    }
  } else if (children.length === 0 && length > 0) {
    const values = data.values as Uint8Array | undefined;
    const needed = DataType.isBool(data.type) ? Math.ceil(bits / 8) : length * data.stride;
    if ((values?.length ?? 0) < needed) throw new Error(`${path}: less than ${length} values`);
  }
  const isRowWise = offsets === undefined;
  for (const [index, child] of children.entries()) {
    if (isRowWise && child.length < length) throw new Error(`${path}: less than ${length} rows`);
    checkArrowData(child, `${path}.${index}`);
  }
}
