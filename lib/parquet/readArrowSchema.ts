import { type Field, Schema } from 'apache-arrow';
import { messageOf } from '../base/errors.ts';
import { encodeFooter, MAGIC } from './encodeFooter.ts';
import { encodeSchema } from './footerSchema.ts';
import { plainField } from './plainField.ts';
import type { ShardColumn } from './shardColumns.ts';
import { DecoderPanic, decodeSchema } from './wasmDecoder.ts';
import { innerField } from './withoutStructs.ts';

export interface ArrowSchema {
  /** The readable columns in file order. */
  readonly schema: Schema;
  /** Columns without an Arrow type, with the reason. They do not prevent reading the others. */
  readonly unreadableColumns: ReadonlyMap<string, string>;
}

/**
 * The Arrow types that `readRowGroup` gives to the columns of a shard.
 *
 * @throws DecoderPanic
 */
export function readArrowSchema(columns: readonly ShardColumn[]): ArrowSchema {
  const unreadableColumns = new Map<string, string>();
  const names = new Set<string>();
  for (const { name } of columns) {
    if (names.has(name)) unreadableColumns.set(name, 'several columns have this name');
    names.add(name);
  }
  const unique = columns.filter(({ name }) => !unreadableColumns.has(name));
  try {
    return { schema: new Schema(fieldsOf(unique)), unreadableColumns };
  } catch (error) {
    if (error instanceof DecoderPanic) throw error;
  }
  const fields = unique.flatMap((column) => {
    try {
      return fieldsOf([column]);
    } catch (error) {
      if (error instanceof DecoderPanic) throw error;
      unreadableColumns.set(column.name, messageOf(error));
      return [];
    }
  });
  return { schema: new Schema(fields), unreadableColumns };
}

function fieldsOf(columns: readonly ShardColumn[]): Field[] {
  const plain = columns.map(plainField);
  const others = columns.filter((_, index) => plain[index] === undefined);
  if (others.length === 0) return plain as Field[];
  const { fields } = decodeSchema(Buffer.concat([MAGIC, encodeFooter(encodeSchema(others), [])]));
  const decoded = new Map(others.map((column, index) => [column, innerField(column, fields[index]!)]));
  return columns.map((column, index) => plain[index] ?? decoded.get(column)!);
}
