import { crc32 } from 'node:zlib';
import type { CompressionCodec } from 'hyparquet';
import { messageOf } from '../base/errors.ts';
import { checkUnpacking } from './checkUnpacking.ts';
import { CompactReader } from './compactReader.ts';
import type { PlacedChunk } from './encodeFooter.ts';

/** Field numbers of PageHeader and of its headers by kind in parquet.thrift. */
const UNCOMPRESSED_BYTES = 2;
const COMPRESSED_BYTES = 3;
const CHECKSUM = 4;
const DATA_PAGE = 5;
const DICTIONARY_PAGE = 7;
const DATA_PAGE_V2 = 8;
const VALUE_COUNT = 1;
/** Of a dictionary's header and of the first version's. */
const ENCODING = 2;
const DEFINITION_ENCODING = 3;
const REPETITION_ENCODING = 4;
/** Of the second version's header: levels stand before the values and are never compressed. */
const ENCODING_V2 = 4;
const DEFINITION_BYTES = 5;
const REPETITION_BYTES = 6;
const IS_COMPRESSED = 7;
const STRUCT = 12;
const FALSE = 2;

const LARGEST_INT32 = 2 ** 31 - 1;

/**
 * What one call of the decoder may unpack: it holds that twice, in 4 GiB. No more than this of one column of one row group can
 * be read, whatever decodes it: places in it are int32.
 */
export const LARGEST_UNPACKED_BYTES = 2 ** 30;

interface PageHeader {
  /** Bytes of the page behind the header. */
  readonly pageBytes: number;
  /** What they unpack to. */
  readonly unpackedBytes: number;
  /** CRC-32 of these bytes, as they are in the file; most writers leave it out. */
  readonly checksum: number | undefined;
  /** Undefined for a page without values of rows, such as a dictionary. */
  readonly valueCount: number | undefined;
  /** Values of a dictionary. */
  readonly dictionaryCount: number;
  /** Of the values; -1 where the header doesn't say. */
  readonly encoding: number;
  /** Of the first version's levels; -1 in the second version, which has but one. */
  readonly definitionEncoding: number;
  readonly repetitionEncoding: number;
  /** Of the second version: bytes of its levels, repetitions first, before those that are compressed. */
  readonly definitionBytes: number;
  readonly repetitionBytes: number;
  readonly isSecondVersion: boolean;
  readonly isCompressed: boolean;
}

/** A page of a chunk: `buffer[startByte, endByte)` behind its header. */
export interface ChunkPage extends PageHeader {
  readonly startByte: number;
  readonly endByte: number;
}

/** The pages of a chunk as far as they could be followed. */
export interface ChunkPages {
  readonly pages: readonly ChunkPage[];
  /** What all of them unpack to. */
  readonly unpackedBytes: number;
  /** Whether they hold as many values as the chunk, and end where it does or before. */
  readonly areWhole: boolean;
}

/**
 * Holds the pages of a column chunk against their checksums, where the writer gave them some; arrow-rs as it is built into our
 * decoder reads past them. A header is not covered by its checksum. What can't be followed is left to the decoder, which
 * has its own errors, but for sizes: it allocates what a header claims, and unpacks whatever comes (`checkUnpacking`).
 * @param chunk whose `startByte` and `endByte` are positions in `buffer`
 * @throws Error that names the page and what differs
 */
export function checkPages(buffer: Uint8Array, chunk: PlacedChunk): ChunkPages {
  const { startByte, endByte, valueCount, codec } = chunk;
  const bytes = buffer.subarray(startByte, endByte);
  const pages: ChunkPage[] = [];
  let unpackedBytes = 0;
  let values = 0;
  let at = 0;
  /** Whether the data pages before have checksums: a writer gives them to all or to none of a chunk. */
  let haveChecksums: boolean | undefined;
  for (let page = 0; values < valueCount && at < bytes.length; page++) {
    const reader = new CompactReader(bytes, at);
    const header = tryReadHeader(reader);
    if (header === undefined) break;
    const { checksum, pageBytes } = header;
    const pageEnd = reader.at + pageBytes;
    try {
      checkSizes(header, bytes, reader.at, codec);
    } catch (error) {
      throw new Error(`page ${page} of the chunk makes no sense: ${messageOf(error)}`);
    }
    unpackedBytes += header.unpackedBytes;
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
    pages.push(Object.assign(header, { startByte: startByte + reader.at, endByte: startByte + pageEnd }));
    at = pageEnd;
  }
  return { pages, unpackedBytes, areWhole: values === valueCount && at <= bytes.length };
}

/** @param pageStart in the chunk's bytes */
function checkSizes(header: PageHeader, bytes: Uint8Array, pageStart: number, codec: CompressionCodec): void {
  const { unpackedBytes, pageBytes, valueCount = 0, dictionaryCount, isCompressed } = header;
  const levelBytes = header.definitionBytes + header.repetitionBytes;
  checkSize(unpackedBytes);
  checkSize(pageBytes);
  checkSize(valueCount);
  checkSize(dictionaryCount);
  checkSize(levelBytes);
  // Each takes a byte at least; the decoder makes room for all before it reads the first.
  if (dictionaryCount > unpackedBytes) {
    throw new Error(`a dictionary of ${dictionaryCount} values in ${unpackedBytes} bytes`);
  }
  if (levelBytes > pageBytes) throw new Error(`levels of ${levelBytes} bytes in ${pageBytes}`);
  const packed = bytes.subarray(pageStart + levelBytes, pageStart + pageBytes);
  checkUnpacking(isCompressed ? codec : 'UNCOMPRESSED', packed, unpackedBytes - levelBytes);
}

function checkSize(size: number): void {
  if (!(size >= 0 && size <= LARGEST_INT32)) throw new Error(`a size of ${size}`);
}

function tryReadHeader(reader: CompactReader): PageHeader | undefined {
  const header = {
    pageBytes: 0,
    unpackedBytes: 0,
    checksum: undefined as number | undefined,
    valueCount: undefined as number | undefined,
    dictionaryCount: 0,
    encoding: -1,
    definitionEncoding: -1,
    repetitionEncoding: -1,
    definitionBytes: 0,
    repetitionBytes: 0,
    isSecondVersion: false,
    isCompressed: true,
  };
  const readKind = (kind: number) => {
    const isFirst = kind === DATA_PAGE;
    const isSecond = kind === DATA_PAGE_V2;
    header.isSecondVersion = isSecond;
    reader.readStruct((field, type) => {
      if (field === VALUE_COUNT) {
        const count = reader.readInteger(type);
        if (kind === DICTIONARY_PAGE) header.dictionaryCount = count;
        else header.valueCount = count;
      } else if (field === (isSecond ? ENCODING_V2 : ENCODING)) header.encoding = reader.readInteger(type);
      else if (isFirst && field === DEFINITION_ENCODING) {
        header.definitionEncoding = reader.readInteger(type);
      } else if (isFirst && field === REPETITION_ENCODING) {
        header.repetitionEncoding = reader.readInteger(type);
      } else if (isSecond && field === DEFINITION_BYTES) header.definitionBytes = reader.readInteger(type);
      else if (isSecond && field === REPETITION_BYTES) header.repetitionBytes = reader.readInteger(type);
      else if (isSecond && field === IS_COMPRESSED) header.isCompressed = type !== FALSE;
      else reader.skip(type);
    });
  };
  try {
    reader.readStruct((field, type) => {
      if (field === UNCOMPRESSED_BYTES) header.unpackedBytes = reader.readInteger(type);
      else if (field === COMPRESSED_BYTES) header.pageBytes = reader.readInteger(type);
      else if (field === CHECKSUM) header.checksum = reader.readInteger(type) >>> 0;
      else if ([DATA_PAGE, DICTIONARY_PAGE, DATA_PAGE_V2].includes(field) && type === STRUCT) readKind(field);
      else reader.skip(type);
    });
  } catch {
    return undefined;
  }
  return header;
}

function hex(checksum: number): string {
  return checksum.toString(16).padStart(8, '0');
}
