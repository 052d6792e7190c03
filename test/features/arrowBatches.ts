import {
  type Data,
  type DataType,
  Dictionary,
  Field,
  Float64,
  Int32,
  Int64,
  List,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Uint8,
  Uint16,
  Utf8,
  Vector,
  vectorFromArray,
} from 'apache-arrow';

/** A record batch of named columns of equal length. */
export function batchOf(columns: Readonly<Record<string, Data>>): RecordBatch {
  const fields = Object.entries(columns).map(([name, data]) => new Field(name, data.type as DataType, true));
  const children = Object.values(columns);
  const length = children[0]?.length ?? 0;
  const data = makeData({ type: new Struct(fields), length, nullCount: 0, children });
  return new RecordBatch(new Schema(fields), data);
}

export function columnOf(type: DataType, values: readonly unknown[]): Data {
  return vectorFromArray([...values], type).data[0]!;
}

/** An int64 column; the slots of nulls hold `stale`, as those of a real reader do. */
export function int64s(values: readonly (bigint | number | null)[], stale = 0n): Data {
  const data = columnOf(
    new Int64(),
    values.map((value) => (value === null ? null : BigInt(value))),
  );
  for (let row = 0; row < values.length; row++) if (values[row] === null) data.values[row] = stale;
  return data;
}

export function doubles(values: readonly (number | null)[]): Data {
  return columnOf(new Float64(), values);
}

export function strings(values: readonly (string | null)[]): Data {
  return columnOf(new Utf8(), values);
}

export function int64Lists(values: readonly (readonly (bigint | number | null)[] | null)[]): Data {
  const rows = values.map((row) => row?.map((value) => (value === null ? null : BigInt(value))) ?? null);
  return columnOf(listOf(new Int64()), rows);
}

export function stringLists(values: readonly (readonly (string | null)[] | null)[]): Data {
  return columnOf(listOf(new Utf8()), values);
}

/** Indices of so many bits. */
const INDICES = {
  8: { type: new Uint8(), of: Uint8Array },
  16: { type: new Uint16(), of: Uint16Array },
  32: { type: new Int32(), of: Int32Array },
} as const;

/** The same column, or that of the same lists, as indices of its distinct values, the last one first. */
export function indexed(column: Data, bits: keyof typeof INDICES = 32): Data {
  if (column.type instanceof List) {
    const child = indexed(column.children[0]!, bits);
    const { length, nullCount, nullBitmap, valueOffsets, offset } = column;
    const type = listOf(child.type as DataType);
    return makeData({ type, length, nullCount, nullBitmap, valueOffsets, offset, child });
  }
  const values = [...new Vector([column])] as (string | number | bigint | null)[];
  const distinct = [...new Set(values.filter((value) => value !== null))].reverse();
  const placeOf = new Map<unknown, number>(distinct.map((value, place) => [value, place]));
  // One at least, so that a null has an index.
  const dictionary = vectorFromArray(distinct.length === 0 ? [null] : distinct, column.type);
  return makeData({
    type: new Dictionary(column.type as DataType, INDICES[bits].type),
    length: values.length,
    nullCount: values.filter((value) => value === null).length,
    nullBitmap: Uint8Array.from({ length: (values.length + 7) >> 3 }, (_, byte) =>
      [0, 1, 2, 3, 4, 5, 6, 7].reduce(
        (bits, bit) => bits | ((values[8 * byte + bit] ?? null) === null ? 0 : 1 << bit),
        0,
      ),
    ),
    data: new INDICES[bits].of(values.map((value) => placeOf.get(value) ?? 0)),
    dictionary,
  });
}

export function listOf(type: DataType): List {
  return new List(new Field('element', type, true));
}

export async function* streamOf(...batches: readonly RecordBatch[]): AsyncGenerator<RecordBatch> {
  yield* batches;
}
