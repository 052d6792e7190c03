import { isUtf8 } from 'node:buffer';
import { type Data, DataType, Field, makeData, RecordBatch, Schema, Struct, Utf8 } from 'apache-arrow';
import { isValid } from '../base/arrowColumns.ts';
import { readArrowSchema } from './readArrowSchema.ts';
import type { ReadColumn } from './rowGroupReads.ts';

/** A value that keeps a row from being decoded. */
export interface BadCell {
  /** From the row group's first row. */
  readonly row: number;
  readonly column: string;
  readonly reason: 'TEXT_NOT_UTF8' | 'TIMESTAMP_RANGE';
  /** The value as text: bytes as `\x` and hexadecimal digits, at most the first 1,024 of them. */
  readonly value: string;
}

/** What of a bad value is told. */
const MOST_BYTES = 1024;

/**
 * The column as arrow-rs is to read it without looking whether text is UTF-8: it refuses whole chunks for a single byte. Only
 * columns of text and of lists of text, which features and row keys can be.
 */
export function withoutText(read: ReadColumn): ReadColumn {
  if (textTypeOf(read) === undefined) return read;
  const { column } = read;
  const elements = [...column.elements];
  const { converted_type: _, logical_type: __, ...leaf } = elements.pop()!;
  return { ...read, column: { ...column, elements: [...elements, leaf] } };
}

function textTypeOf({ column }: ReadColumn): DataType | undefined {
  const type = readArrowSchema([column]).schema.fields[0]?.type as DataType | undefined;
  if (type === undefined) return undefined;
  const isText =
    DataType.isUtf8(type) || (DataType.isList(type) && DataType.isUtf8(type.children[0]!.type as DataType));
  return isText ? type : undefined;
}

/**
 * Makes text of what was text before `withoutText`. What isn't UTF-8 stays as it is and is reported, once for each row and
 * column: nobody may read that row.
 * @param columns the batches' columns, in their order, as they were before
 */
export function withText(
  batches: readonly RecordBatch[],
  columns: readonly ReadColumn[],
  onBadCell: (cell: BadCell) => void,
): readonly RecordBatch[] {
  const types = columns.map(textTypeOf);
  let rowStart = 0;
  return batches.map((batch) => {
    const children = batch.data.children.map((data, index) => {
      const type = types[index];
      if (type === undefined) return data;
      const text = asText(data, type);
      for (let row = 0; row < batch.numRows; row++) {
        const bytes = badBytes(text, row);
        if (bytes === undefined) continue;
        const { name: column } = columns[index]!.column;
        onBadCell({ row: rowStart + row, column, reason: 'TEXT_NOT_UTF8', value: bytesText(bytes) });
      }
      return text;
    });
    rowStart += batch.numRows;
    const fields = batch.schema.fields.map(
      (field, index) => new Field(field.name, types[index] ?? field.type, field.nullable),
    );
    const type = new Struct(fields);
    const data = makeData({ type, length: batch.numRows, nullCount: 0, children });
    return new RecordBatch(new Schema(fields), data);
  });
}

function asText(data: Data, type: DataType): Data {
  const children = DataType.isList(type) ? [asText(data.children[0]!, new Utf8())] : data.children;
  return data.clone(type, data.offset, data.length, data.nullCount, undefined, children);
}

/** The first bytes of a row that aren't UTF-8. */
function badBytes(data: Data, row: number): Uint8Array | undefined {
  if (!isValid(data, row)) return undefined;
  const offsets = data.valueOffsets as Int32Array;
  const [start, end] = [offsets[row]!, offsets[row + 1]!];
  if (DataType.isList(data.type)) {
    const [element] = data.children;
    for (let at = start; at < end; at++) {
      const bytes = badBytes(element!, at);
      if (bytes !== undefined) return bytes;
    }
    return undefined;
  }
  const bytes = (data.values as Uint8Array).subarray(start, end);
  return isUtf8(bytes) ? undefined : bytes;
}

function bytesText(bytes: Uint8Array): string {
  return `\\x${Buffer.from(bytes.subarray(0, MOST_BYTES)).toString('hex')}`;
}
