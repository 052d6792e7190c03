import { crc32 } from 'node:zlib';
import type { CompressionCodec } from 'hyparquet';
import { messageOf } from '../base/errors.ts';
import { checkUnpacking } from './checkUnpacking.ts';
import { CompactReader, STOP, STRUCT } from './compactReader.ts';
import type { PlacedChunk } from './encodeFooter.ts';

/** Field numbers of PageHeader and of its headers by kind in parquet.thrift. */
const PAGE_TYPE = 1;
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
const NULL_COUNT = 2;
const ROW_COUNT = 3;
const ENCODING_V2 = 4;
const DEFINITION_BYTES = 5;
const REPETITION_BYTES = 6;
const IS_COMPRESSED = 7;
const TRUE = 1;
const FALSE = 2;

const LARGEST_INT32 = 2 ** 31 - 1;

/**
 * What one call of the decoder may unpack: it holds that twice, in 4 GiB. No more than this of one column of one row group can
 * be read, whatever decodes it: places in it are int32.
 */
export const LARGEST_UNPACKED_BYTES = 2 ** 30;

/** A page of a chunk: `buffer[startByte, endByte)` behind its header. */
export interface ChunkPage {
  readonly startByte: number;
  readonly endByte: number;
  /** What its bytes unpack to. */
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

/** The pages of a chunk as far as they go. */
export interface ChunkPages {
  readonly pages: readonly ChunkPage[];
  /** What all of them unpack to. */
  readonly unpackedBytes: number;
  /** Whether they hold as many values as the chunk, and end where it does or before. */
  readonly areWhole: boolean;
}

/**
 * Holds the pages of a column chunk against their checksums, where the writer gave them some; arrow-rs as it is built into our
 * decoder reads past them. A header is not covered by its checksum. Where pages end too early, the decoder has its own errors; but
 * not for sizes: it allocates what a header claims, and unpacks whatever comes (`checkUnpacking`); nor for headers that can't be
 * followed: in one it may go through 2^31 booleans without a byte, list by list, and seem to stand still.
 * @param chunk whose `startByte` and `endByte` are positions in `buffer`
 * @throws Error that names the page and what differs
 */
export function checkPages(buffer: Uint8Array, chunk: PlacedChunk): ChunkPages {
  const { valueCount, codec } = chunk;
  const chunkEnd = Math.min(chunk.endByte, buffer.length);
  const reader = new CompactReader(buffer, chunk.startByte, chunkEnd);
  const pages: ChunkPage[] = [];
  let unpackedBytes = 0;
  let values = 0;
  let end = chunk.startByte;
  /** Whether the data pages before have checksums: a writer gives them to all or to none of a chunk. */
  let haveChecksums: boolean | undefined;
  for (let page = 0; values < valueCount && end < chunkEnd; page++) {
    let header: ChunkPage;
    try {
      header = readPage(reader);
      checkSizes(header, buffer, chunkEnd, codec);
    } catch (error) {
      throw new Error(`page ${page} of the chunk makes no sense: ${messageOf(error)}`);
    }
    const { checksum, startByte, endByte } = header;
    unpackedBytes += header.unpackedBytes;
    if (checksum !== undefined) {
      if (endByte > chunkEnd) throw new Error(`page ${page} of the chunk reaches past its end`);
      const found = crc32(buffer.subarray(startByte, endByte));
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
    pages.push(header);
    end = endByte;
    reader.moveTo(end);
  }
  if (values > valueCount) throw new Error(`pages of the chunk hold ${values} values, not ${valueCount}`);
  return { pages, unpackedBytes, areWhole: values === valueCount && end <= chunkEnd };
}

function checkSizes(page: ChunkPage, buffer: Uint8Array, chunkEnd: number, codec: CompressionCodec): void {
  const { startByte, endByte, unpackedBytes, valueCount = 0, dictionaryCount, isCompressed } = page;
  const levelBytes = page.definitionBytes + page.repetitionBytes;
  checkSize(unpackedBytes);
  checkSize(endByte - startByte);
  checkSize(valueCount);
  checkSize(dictionaryCount);
  checkSize(levelBytes);
  // Each takes a byte at least; the decoder makes room for all before it reads the first.
  if (dictionaryCount > unpackedBytes) {
    throw new Error(`a dictionary of ${dictionaryCount} values in ${unpackedBytes} bytes`);
  }
  if (levelBytes > endByte - startByte) {
    throw new Error(`levels of ${levelBytes} bytes in ${endByte - startByte}`);
  }
  const packed = buffer.subarray(startByte + levelBytes, Math.min(endByte, chunkEnd));
  checkUnpacking(isCompressed ? codec : 'UNCOMPRESSED', packed, unpackedBytes - levelBytes);
}

function checkSize(size: number): void {
  if (!(size >= 0 && size <= LARGEST_INT32)) throw new Error(`a size of ${size}`);
}

type WritablePage = { -readonly [Key in keyof ChunkPage]: ChunkPage[Key] };

/** @throws Error when the header at the reader's place can't be followed, or isn't of the types that its fields have */
function readPage(reader: CompactReader): ChunkPage {
  const page: WritablePage = {
    startByte: 0,
    endByte: 0,
    unpackedBytes: 0,
    checksum: undefined,
    valueCount: undefined,
    dictionaryCount: 0,
    encoding: -1,
    definitionEncoding: -1,
    repetitionEncoding: -1,
    definitionBytes: 0,
    repetitionBytes: 0,
    isSecondVersion: false,
    isCompressed: true,
  };
  let pageBytes = 0;
  for (let head = reader.readHead(0); head !== STOP; head = reader.readHead(head)) {
    const field = head >> 4;
    const type = head & 15;
    if (field === UNCOMPRESSED_BYTES) page.unpackedBytes = reader.readInteger(type);
    else if (field === COMPRESSED_BYTES) pageBytes = reader.readInteger(type);
    else if (field === CHECKSUM) page.checksum = reader.readInteger(type) >>> 0;
    else if (field === PAGE_TYPE) reader.readInteger(type);
    else if (field < DATA_PAGE || field > DATA_PAGE_V2) reader.skip(type);
    // The decoder takes them for structs, whatever type stands there.
    else if (type !== STRUCT) throw new Error(`a header of type ${type}`);
    else if (field === DATA_PAGE) readFirstVersion(reader, page);
    else if (field === DICTIONARY_PAGE) readDictionary(reader, page);
    else if (field === DATA_PAGE_V2) readSecondVersion(reader, page);
    else reader.skip(type);
  }
  page.startByte = reader.at;
  page.endByte = reader.at + pageBytes;
  return page;
}

function readDictionary(reader: CompactReader, page: WritablePage): void {
  for (let head = reader.readHead(0); head !== STOP; head = reader.readHead(head)) {
    const type = head & 15;
    const field = head >> 4;
    if (field === VALUE_COUNT) page.dictionaryCount = reader.readInteger(type);
    else if (field === ENCODING) page.encoding = reader.readInteger(type);
    else reader.skip(type);
  }
}

function readFirstVersion(reader: CompactReader, page: WritablePage): void {
  for (let head = reader.readHead(0); head !== STOP; head = reader.readHead(head)) {
    const type = head & 15;
    const field = head >> 4;
    if (field === VALUE_COUNT) page.valueCount = reader.readInteger(type);
    else if (field === ENCODING) page.encoding = reader.readInteger(type);
    else if (field === DEFINITION_ENCODING) page.definitionEncoding = reader.readInteger(type);
    else if (field === REPETITION_ENCODING) page.repetitionEncoding = reader.readInteger(type);
    else reader.skip(type);
  }
}

function readSecondVersion(reader: CompactReader, page: WritablePage): void {
  page.isSecondVersion = true;
  for (let head = reader.readHead(0); head !== STOP; head = reader.readHead(head)) {
    const type = head & 15;
    const field = head >> 4;
    if (field === VALUE_COUNT) page.valueCount = reader.readInteger(type);
    else if (field === ENCODING_V2) page.encoding = reader.readInteger(type);
    else if (field === DEFINITION_BYTES) page.definitionBytes = reader.readInteger(type);
    else if (field === REPETITION_BYTES) page.repetitionBytes = reader.readInteger(type);
    else if (field === NULL_COUNT || field === ROW_COUNT) reader.readInteger(type);
    else if (field === IS_COMPRESSED && (type === TRUE || type === FALSE)) page.isCompressed = type === TRUE;
    else reader.skip(type);
  }
}

function hex(checksum: number): string {
  return checksum.toString(16).padStart(8, '0');
}
