import type { ColumnChunk, CompressionCodec, ParquetType } from 'hyparquet';
import { ByteWriter } from 'hyparquet-writer';
import { writeMetadata } from 'hyparquet-writer/src/metadata.js';
import type { ShardColumn } from './shardColumns.ts';

/** Where a column chunk is in the file that is being put together. */
export interface PlacedChunk {
  readonly type: ParquetType;
  readonly codec: CompressionCodec;
  readonly valueCount: number;
  readonly uncompressedBytes: number;
  readonly startByte: number;
  readonly endByte: number;
  /** Offset of the first data page from `startByte`: more than 0 when a dictionary page comes first. */
  readonly dataPageOffset: number;
}

export const MAGIC = Uint8Array.of(0x50, 0x41, 0x52, 0x31);

/** One row group of the file that is being put together. */
export interface PlacedRowGroup {
  readonly rowCount: number;
  /** One per leaf of the file's columns, in their order. */
  readonly chunks: readonly PlacedChunk[];
}

/**
 * The end of a Parquet file with the given columns and row groups: footer, its length, magic.
 * Statistics, indexes, bloom filters and key-value metadata are left out. Without the ARROW:schema entry a reader
 * derives Arrow types from the Parquet types alone, so no writer's choice of dictionaries, views or large strings comes through.
 */
export function encodeFooter(
  columns: readonly ShardColumn[],
  rowGroups: readonly PlacedRowGroup[],
): Uint8Array {
  const writer = new ByteWriter();
  writeMetadata(writer, {
    version: 2,
    schema: [
      { name: 'schema', num_children: columns.length },
      ...columns.flatMap((column) => column.elements),
    ],
    num_rows: BigInt(rowGroups.reduce((sum, { rowCount }) => sum + rowCount, 0)),
    row_groups: rowGroups.map(({ rowCount, chunks }) => ({
      columns: chunks.map(columnChunk),
      total_byte_size: BigInt(chunks.reduce((sum, chunk) => sum + chunk.uncompressedBytes, 0)),
      num_rows: BigInt(rowCount),
    })),
    // Only hyparquet's parser sets this; the writer measures the footer itself.
    metadata_length: 0,
  });
  writer.appendBytes(MAGIC);
  return writer.getBytes();
}

function columnChunk(chunk: PlacedChunk): ColumnChunk {
  const startByte = BigInt(chunk.startByte);
  const hasDictionary = chunk.dataPageOffset > 0;
  return {
    file_offset: startByte,
    meta_data: {
      type: chunk.type,
      // The decoder takes encodings from the page headers and names from the schema. Both lists must only be there: for a shard
      // of few rows, writing them would cost as much as decoding.
      encodings: ['PLAIN'],
      path_in_schema: [],
      codec: chunk.codec,
      num_values: BigInt(chunk.valueCount),
      total_uncompressed_size: BigInt(chunk.uncompressedBytes),
      total_compressed_size: BigInt(chunk.endByte - chunk.startByte),
      data_page_offset: startByte + BigInt(chunk.dataPageOffset),
      ...(hasDictionary ? { dictionary_page_offset: startByte } : {}),
    },
  };
}
