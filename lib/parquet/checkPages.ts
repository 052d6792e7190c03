import { crc32 } from 'node:zlib';
import { CompactReader } from './compactReader.ts';
import type { PlacedChunk } from './encodeFooter.ts';

/** Field numbers of PageHeader and of its headers by kind in parquet.thrift. */
const COMPRESSED_BYTES = 3;
const CHECKSUM = 4;
const DATA_PAGE = 5;
const DATA_PAGE_V2 = 8;
const VALUE_COUNT = 1;
const STRUCT = 12;

interface PageHeader {
  /** Bytes of the page behind the header. */
  readonly pageBytes: number;
  /** CRC-32 of these bytes, as they are in the file; most writers leave it out. */
  readonly checksum: number | undefined;
  /** Undefined for a page without values of rows, such as a dictionary. */
  readonly valueCount: number | undefined;
}

/**
 * Holds the pages of a column chunk against their checksums, where the writer gave them some; arrow-rs as it is built into our
 * decoder reads past them. A header is not covered by its checksum. What can't be followed is left to the decoder, which
 * has its own errors.
 * @param chunk whose `startByte` and `endByte` are positions in `buffer`
 * @throws Error that names the page and what differs
 */
export function checkPages(buffer: Uint8Array, chunk: PlacedChunk): void {
  const { startByte, endByte, valueCount } = chunk;
  const bytes = buffer.subarray(startByte, endByte);
  let values = 0;
  let at = 0;
  /** Whether the data pages before have checksums: a writer gives them to all or to none of a chunk. */
  let haveChecksums: boolean | undefined;
  for (let page = 0; values < valueCount && at < bytes.length; page++) {
    const reader = new CompactReader(bytes, at);
    const header = tryReadHeader(reader);
    if (header === undefined) return;
    const { checksum, pageBytes } = header;
    const pageEnd = reader.at + pageBytes;
    if (checksum !== undefined) {
      if (pageEnd > bytes.length) throw new Error(`page ${page} of the chunk reaches past its end`);
      const found = crc32(bytes.subarray(reader.at, pageEnd));
      if (found !== checksum) {
        throw new Error(
          `page ${page} of the chunk has the checksum ${hex(found)}, its header says ${hex(checksum)}`,
        );
      }
    }
    if (header.valueCount !== undefined) {
      if (haveChecksums !== undefined && haveChecksums !== (checksum !== undefined)) {
        throw new Error(`page ${page} of the chunk ${haveChecksums ? 'lacks a' : 'has the first'} checksum`);
      }
      haveChecksums = checksum !== undefined;
      values += header.valueCount;
    }
    at = pageEnd;
  }
}

function tryReadHeader(reader: CompactReader): PageHeader | undefined {
  let pageBytes = -1;
  let checksum: number | undefined;
  let valueCount: number | undefined;
  try {
    reader.readStruct((field, type) => {
      if (field === COMPRESSED_BYTES) pageBytes = reader.readInteger(type);
      else if (field === CHECKSUM) checksum = reader.readInteger(type) >>> 0;
      else if ((field === DATA_PAGE || field === DATA_PAGE_V2) && type === STRUCT) {
        reader.readStruct((inner, innerType) => {
          if (inner === VALUE_COUNT) valueCount = reader.readInteger(innerType);
          else reader.skip(innerType);
        });
      } else reader.skip(type);
    });
  } catch {
    return undefined;
  }
  if (pageBytes < 0 || (valueCount !== undefined && valueCount < 0)) return undefined;
  return { pageBytes, checksum, valueCount };
}

function hex(checksum: number): string {
  return checksum.toString(16).padStart(8, '0');
}
