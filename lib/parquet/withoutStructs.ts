import { type Data, DataType, Field, makeData, RecordBatch, Schema, Struct } from 'apache-arrow';
import { isValid } from '../base/arrowColumns.ts';
import type { ShardColumn } from './shardColumns.ts';

/** The field of a column as batches have it, without the structs around it. @param field as it is decoded */
export function innerField({ name, structDepth = 0 }: ShardColumn, field: Field): Field {
  if (structDepth === 0) return field;
  let inner = field;
  let nullable = field.nullable;
  for (let depth = 0; depth < structDepth; depth++) {
    inner = (inner.type as Struct).children[0]!;
    nullable ||= inner.nullable;
  }
  return new Field(name, inner.type as DataType, nullable);
}

/** Takes the fields of structs out of them. A field of a struct that is null is null. @param columns the batches', in their order */
export function withoutStructs(
  batches: readonly RecordBatch[],
  columns: readonly ShardColumn[],
): readonly RecordBatch[] {
  if (!columns.some(({ structDepth }) => structDepth)) return batches;
  return batches.map((batch) => {
    const { schema, data, numRows: length } = batch;
    const fields = columns.map((column, index) => innerField(column, schema.fields[index]!));
    const children = columns.map((column, index) =>
      innerData(data.children[index]!, column.structDepth ?? 0),
    );
    const type = new Struct(fields);
    return new RecordBatch(new Schema(fields), makeData({ type, length, nullCount: 0, children }));
  });
}

function innerData(column: Data, structDepth: number): Data {
  let inner = column;
  for (let depth = 0; depth < structDepth; depth++) inner = nullWithin(inner, inner.children[0]!);
  return inner;
}

function nullWithin(struct: Data, field: Data): Data {
  if (struct.nullCount === 0 || DataType.isNull(field.type)) return field;
  const { length } = field;
  const bitmap = new Uint8Array((field.offset + length + 7) >> 3);
  let nullCount = 0;
  for (let row = 0; row < length; row++) {
    if (isValid(struct, row) && isValid(field, row)) {
      const bit = field.offset + row;
      bitmap[bit >> 3]! |= 1 << (bit & 7);
    } else nullCount++;
  }
  const { type, offset, valueOffsets, values, typeIds, children } = field;
  const buffers = [valueOffsets, values, bitmap, typeIds] as never;
  return field.clone(type, offset, length, nullCount, buffers, children);
}
