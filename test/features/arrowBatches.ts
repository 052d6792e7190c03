import {
  type Data,
  type DataType,
  Field,
  Float64,
  Int64,
  List,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Utf8,
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

export function listOf(type: DataType): List {
  return new List(new Field('element', type, true));
}

export async function* streamOf(...batches: readonly RecordBatch[]): AsyncGenerator<RecordBatch> {
  yield* batches;
}
