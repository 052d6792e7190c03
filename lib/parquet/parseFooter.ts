import type { CompressionCodec, ParquetType } from 'hyparquet';
import { CompressionCodecs, ParquetTypes } from 'hyparquet/src/constants.js';
import { CompactReader, INT32, INT64, LIST, STOP, STRUCT } from './compactReader.ts';

/** Field numbers of parquet.thrift. */
export const FILE = { schema: 2, rowCount: 3, rowGroups: 4 } as const;
export const ROW_GROUP = { columns: 1, rowCount: 3 } as const;
const CHUNK = { filePath: 1, metadata: 3, cryptoMetadata: 8, encryptedMetadata: 9 } as const;
const CHUNK_METADATA = {
  ...{ type: 1, codec: 4, valueCount: 5, uncompressedBytes: 6, compressedBytes: 7 },
  ...{ dataPageByte: 9, dictionaryPageByte: 11 },
} as const;

/** What a footer says of a column chunk. Undefined is what it leaves out, or says in another type; nothing is checked. */
export interface FooterChunk {
  readonly isEncrypted: boolean;
  /** Another file, with the chunk. */
  readonly filePath: string | undefined;
  readonly type: ParquetType | undefined;
  readonly codec: CompressionCodec | undefined;
  readonly valueCount: number | undefined;
  readonly uncompressedBytes: number | undefined;
  readonly compressedBytes: number | undefined;
  /** First byte of the first data page. */
  readonly dataPageByte: number | undefined;
  readonly dictionaryPageByte: number | undefined;
}

type WritableChunk = { -readonly [Key in keyof FooterChunk]: FooterChunk[Key] };

interface FooterRowGroup {
  readonly rowCount: number | undefined;
  /** One per leaf of the schema if the footer is right. */
  readonly chunks: readonly FooterChunk[];
}

export interface Footer {
  /** The schema as it stands in the file, of which it is a view: footers with the same bytes have the same schema. */
  readonly schemaBytes: Uint8Array;
  readonly rowCount: number | undefined;
  readonly rowGroups: readonly FooterRowGroup[];
}

/**
 * Reads what scoring needs of a footer, in one pass, and steps over the rest (statistics, indexes, key-value metadata): for a
 * small shard of many columns a whole parse costs a third of what decoding does.
 * @param footer FileMetaData in Thrift's compact protocol, from its first byte on; anything else does no harm
 * @throws Error when it can't be followed to its end
 */
export function parseFooter(footer: Uint8Array): Footer {
  const reader = new CompactReader(footer);
  let schemaBytes: Uint8Array | undefined;
  let rowCount: number | undefined;
  let hasRowGroups = false;
  const rowGroups: FooterRowGroup[] = [];
  for (let head = reader.readHead(0); head !== STOP; head = reader.readHead(head)) {
    const field = head >> 4;
    const type = head & 15;
    if (field === FILE.schema && type === LIST) {
      const start = reader.at;
      reader.skip(type);
      schemaBytes = footer.subarray(start, reader.at);
    } else if (field === FILE.rowCount) rowCount = readOnly(INT64, reader, type);
    else if (field === FILE.rowGroups) {
      hasRowGroups = true;
      for (let left = reader.readStructCount(type); left > 0; left--) rowGroups.push(readRowGroup(reader));
    } else reader.skip(type);
  }
  if (schemaBytes === undefined || !hasRowGroups) throw new Error('the schema or the row groups are no list');
  return { schemaBytes, rowCount, rowGroups };
}

function readRowGroup(reader: CompactReader): FooterRowGroup {
  let rowCount: number | undefined;
  const chunks: FooterChunk[] = [];
  for (let head = reader.readHead(0); head !== STOP; head = reader.readHead(head)) {
    const field = head >> 4;
    const type = head & 15;
    if (field === ROW_GROUP.columns) {
      for (let left = reader.readStructCount(type); left > 0; left--) chunks.push(readChunk(reader));
    } else if (field === ROW_GROUP.rowCount) rowCount = readOnly(INT64, reader, type);
    else reader.skip(type);
  }
  return { rowCount, chunks };
}

function readChunk(reader: CompactReader): FooterChunk {
  const chunk: WritableChunk = {
    isEncrypted: false,
    filePath: undefined,
    type: undefined,
    codec: undefined,
    valueCount: undefined,
    uncompressedBytes: undefined,
    compressedBytes: undefined,
    dataPageByte: undefined,
    dictionaryPageByte: undefined,
  };
  for (let head = reader.readHead(0); head !== STOP; head = reader.readHead(head)) {
    const field = head >> 4;
    const type = head & 15;
    if (field === CHUNK.metadata && type === STRUCT) readChunkMetadata(reader, chunk);
    else if (field === CHUNK.filePath) chunk.filePath = reader.readText(type);
    else {
      if (field === CHUNK.cryptoMetadata || field === CHUNK.encryptedMetadata) chunk.isEncrypted = true;
      reader.skip(type);
    }
  }
  return chunk;
}

function readChunkMetadata(reader: CompactReader, chunk: WritableChunk): void {
  for (let head = reader.readHead(0); head !== STOP; head = reader.readHead(head)) {
    const type = head & 15;
    switch (head >> 4) {
      case CHUNK_METADATA.type:
        chunk.type = ParquetTypes[readOnly(INT32, reader, type) ?? -1];
        break;
      case CHUNK_METADATA.codec:
        chunk.codec = CompressionCodecs[readOnly(INT32, reader, type) ?? -1];
        break;
      case CHUNK_METADATA.valueCount:
        chunk.valueCount = readOnly(INT64, reader, type);
        break;
      case CHUNK_METADATA.uncompressedBytes:
        chunk.uncompressedBytes = readOnly(INT64, reader, type);
        break;
      case CHUNK_METADATA.compressedBytes:
        chunk.compressedBytes = readOnly(INT64, reader, type);
        break;
      case CHUNK_METADATA.dataPageByte:
        chunk.dataPageByte = readOnly(INT64, reader, type);
        break;
      case CHUNK_METADATA.dictionaryPageByte:
        chunk.dictionaryPageByte = readOnly(INT64, reader, type);
        break;
      default:
        reader.skip(type);
    }
  }
}

/** Undefined, and stepped over, when it is of another type. */
function readOnly(wanted: number, reader: CompactReader, type: number): number | undefined {
  if (type === wanted) return reader.readInteger(type);
  reader.skip(type);
  return undefined;
}
