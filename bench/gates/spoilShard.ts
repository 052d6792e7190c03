import {
  type DataType,
  type RecordBatch,
  Table,
  tableFromIPC,
  tableToIPC,
  Vector,
  vectorFromArray,
} from 'apache-arrow';
import { readParquet, Table as WasmTable, WriterPropertiesBuilder, writeParquet } from 'parquet-wasm/node';

/** A shard's rows, to be changed and written again by arrow-rs. */
export function readShardTable(bytes: Uint8Array): Table {
  return tableFromIPC(readParquet(bytes).intoIPCStream());
}

export function shardBytes(table: Table): Uint8Array {
  const properties = new WriterPropertiesBuilder().setMaxRowGroupSize(8_192).build();
  return writeParquet(WasmTable.fromIPCStream(tableToIPC(table, 'stream')), properties);
}

/** Rows [start, end) of a table. */
export function rowsOf(table: Table, start: number, end: number): Table {
  return new Table(table.slice(start, end).batches as RecordBatch[]);
}

/** The table with another value for every one of a column, of the column's type. */
export function withColumn(
  table: Table,
  column: string,
  newValue: (value: unknown, row: number) => unknown,
): Table {
  const type = table.schema.fields.find(({ name }) => name === column)!.type as DataType;
  const old = table.getChild(column) as Vector;
  const values = Array.from({ length: table.numRows }, (_, row) => newValue(old.get(row), row));
  return table
    .assign(new Table({ [column]: vectorFromArray(values, type) }))
    .select(table.schema.fields.map(({ name }) => name));
}

/** Rows of a table in another order. */
export function takeRows(table: Table, order: readonly number[]): Table {
  const columns = table.schema.fields.map(({ name, type }) => {
    const old = table.getChild(name) as Vector;
    const values = order.map((row) => {
      const value: unknown = old.get(row);
      // Of a list, which arrives as a vector.
      return value instanceof Vector ? [...value] : value;
    });
    return [name, vectorFromArray(values, type)] as const;
  });
  return new Table(Object.fromEntries(columns));
}
