import type { CompressionCodec, ParquetType } from 'hyparquet';
import { CompressionCodecs, ParquetTypes } from 'hyparquet/src/constants.js';
import { BINARY, INT32, INT64, LIST, STOP, STRUCT } from './compactReader.ts';
import { CompactWriter } from './compactWriter.ts';

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
  /** One per leaf of the file's schema, in their order. */
  readonly chunks: readonly PlacedChunk[];
}

/** Enough for what stands beside the schema and the row groups, beside a row group's chunks, and for a chunk. */
const FILE_BYTES = 48;
const ROW_GROUP_BYTES = 48;
const CHUNK_BYTES = 88;
/** Beside a key and its value. */
const ENTRY_BYTES = 16;

/**
 * The end of a Parquet file with the given schema and row groups: footer, its length, magic.
 * Statistics, indexes and bloom filters are left out. Without the ARROW:schema entry a reader
 * derives Arrow types from the Parquet types alone, so no writer's choice of dictionaries, views or large strings comes through.
 * @param schemaBytes as `encodeSchema` or `parseFooter` gives them
 * @param metadata keys and values of the file
 */
export function encodeFooter(
  schemaBytes: Uint8Array,
  rowGroups: readonly PlacedRowGroup[],
  metadata: ReadonlyMap<string, string> = new Map(),
): Uint8Array {
  const chunkCount = rowGroups.reduce((sum, { chunks }) => sum + chunks.length, 0);
  const entries = [...metadata].map((entry) => entry.map((text) => Buffer.from(text)));
  const writer = new CompactWriter(
    FILE_BYTES +
      schemaBytes.length +
      rowGroups.length * ROW_GROUP_BYTES +
      chunkCount * CHUNK_BYTES +
      entries.flat().reduce((sum, { length }) => sum + ENTRY_BYTES + length, 0),
  );
  writer.writeInteger(1, INT32, 2);
  writer.writeHead(1, LIST);
  writer.writeBytes(schemaBytes);
  const rowCount = rowGroups.reduce((sum, group) => sum + group.rowCount, 0);
  writer.writeInteger(1, INT64, rowCount);
  writer.writeListHead(1, STRUCT, rowGroups.length);
  for (const rowGroup of rowGroups) writeRowGroup(writer, rowGroup);
  if (entries.length > 0) writer.writeListHead(1, STRUCT, entries.length);
  for (const texts of entries) {
    for (const text of texts) writer.writeBinary(1, text);
    writer.writeByte(STOP);
  }
  writer.writeByte(STOP);
  const footerBytes = writer.at;
  for (let shift = 0; shift < 32; shift += 8) writer.writeByte((footerBytes >> shift) & 255);
  writer.writeBytes(MAGIC);
  return writer.finish();
}

function writeRowGroup(writer: CompactWriter, { rowCount, chunks }: PlacedRowGroup): void {
  writer.writeListHead(1, STRUCT, chunks.length);
  let uncompressedBytes = 0;
  for (const chunk of chunks) {
    writeChunk(writer, chunk);
    uncompressedBytes += chunk.uncompressedBytes;
  }
  writer.writeInteger(1, INT64, uncompressedBytes);
  writer.writeInteger(1, INT64, rowCount);
  writer.writeByte(STOP);
}

/** ColumnChunk with its metadata, fields in the order of their numbers: 2 and 3; within it 1 to 7, 9 and 11. */
function writeChunk(writer: CompactWriter, chunk: PlacedChunk): void {
  const { startByte, endByte, dataPageOffset } = chunk;
  writer.writeInteger(2, INT64, startByte);
  writer.writeHead(1, STRUCT);
  writer.writeInteger(1, INT32, ParquetTypes.indexOf(chunk.type));
  // The decoder takes encodings from the page headers and names from the schema: both lists must only be there.
  writer.writeListHead(1, INT32, 0);
  writer.writeListHead(1, BINARY, 0);
  writer.writeInteger(1, INT32, CompressionCodecs.indexOf(chunk.codec));
  writer.writeInteger(1, INT64, chunk.valueCount);
  writer.writeInteger(1, INT64, chunk.uncompressedBytes);
  writer.writeInteger(1, INT64, endByte - startByte);
  writer.writeInteger(2, INT64, startByte + dataPageOffset);
  if (dataPageOffset > 0) writer.writeInteger(2, INT64, startByte);
  writer.writeByte(STOP);
  writer.writeByte(STOP);
}
