import { type FileMetaData, parquetMetadata, type SchemaElement } from 'hyparquet';
import { ByteWriter, type ColumnSource, parquetWriteBuffer } from 'hyparquet-writer';
import { writeMetadata } from 'hyparquet-writer/src/metadata.js';

/** A small shard of hyparquet-writer: `rows` rows, three columns, row groups of `rowGroupSize`. */
export function sampleShard(rows = 100, rowGroupSize = 40): Uint8Array {
  return writeShard(
    [
      { name: 'id', type: 'INT64', data: Array.from({ length: rows }, (_, row) => BigInt(row)) },
      {
        name: 'city',
        type: 'STRING',
        data: Array.from({ length: rows }, (_, row) => (row % 7 === 0 ? null : `city ${row % 5}`)),
      },
      { name: 'price', type: 'DOUBLE', data: Array.from({ length: rows }, (_, row) => row / 8) },
    ],
    { rowGroupSize },
  );
}

export function writeShard(
  columnData: ColumnSource[],
  options: { rowGroupSize?: number; schema?: SchemaElement[]; pageSize?: number; codec?: 'SNAPPY' } = {},
): Uint8Array {
  return new Uint8Array(parquetWriteBuffer({ columnData, codec: 'UNCOMPRESSED', ...options }));
}

/** A copy of `bytes` with `replacement` at `startByte`. */
export function overwritten(bytes: Uint8Array, startByte: number, replacement: Iterable<number>): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy.set([...replacement], startByte);
  return copy;
}

/** The shard with its footer parsed, changed and written again without statistics; the column data stays as it is. */
export function withMetadata(bytes: Uint8Array, change: (metadata: FileMetaData) => void): Uint8Array {
  const metadata = parquetMetadata(bytes);
  for (const { columns } of metadata.row_groups) {
    for (const { meta_data: meta } of columns) delete meta!.statistics;
  }
  change(metadata);
  const writer = new ByteWriter();
  writer.appendBytes(bytes.subarray(0, bytes.length - 8 - metadata.metadata_length));
  writeMetadata(writer, metadata);
  writer.appendBytes(Buffer.from('PAR1'));
  return writer.getBytes();
}
