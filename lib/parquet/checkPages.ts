import { crc32 } from 'node:zlib';
import type { CompressionCodec } from 'hyparquet';
import { messageOf } from '../base/errors.ts';
import { checkUnpacking } from './checkUnpacking.ts';
import { CompactReader, FALSE, STOP, STRUCT, TRUE } from './compactReader.ts';
import type { PlacedChunk } from './encodeFooter.ts';
import { PAGE, type PageTable } from './pageTable.ts';

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

const LARGEST_INT32 = 2 ** 31 - 1;

/**
 * What one call of the decoder may unpack: it holds that twice, in 4 GiB. No more than this of one column of one row group can
 * be read, whatever decodes it: places in it are int32.
 */
export const LARGEST_UNPACKED_BYTES = 2 ** 30;

/** The pages of a chunk as far as they go. */
export interface CheckedPages {
  /** What all of them unpack to. */
  readonly unpackedBytes: number;
  /** Behind the last one. */
  readonly endByte: number;
  /** Whether they hold as many values as the chunk, and end where it does or before. */
  readonly areWhole: boolean;
}

/**
 * Holds the pages of a column chunk against their checksums, where the writer gave them some; arrow-rs as it is built into our
 * decoder reads past them. A header is not covered by its checksum. Where pages end too early, the decoder has its own errors; but
 * not for sizes: it allocates what a header claims, and unpacks whatever comes (`checkUnpacking`); nor for headers that can't be
 * followed: in one it may go through 2^31 booleans without a byte, list by list, and seem to stand still.
 * @param chunk whose `startByte` and `endByte` are positions in `buffer`
 * @param table that gets its pages
 * @param isForArrowRs whether arrow-rs is to unpack what is packed by ZSTD; libzstd needs no check
 * @throws Error that names the page and what differs
 */
export function checkPages(
  buffer: Uint8Array,
  chunk: PlacedChunk,
  table: PageTable,
  isForArrowRs: boolean,
): CheckedPages {
  const { valueCount, codec } = chunk;
  const chunkEnd = Math.min(chunk.endByte, buffer.length);
  const reader = new CompactReader(buffer, chunk.startByte, chunkEnd);
  let unpackedBytes = 0;
  let values = 0;
  let end = chunk.startByte;
  /** Whether the data pages before have checksums: a writer gives them to all or to none of a chunk. */
  let haveChecksums: boolean | undefined;
  for (let page = 0; values < valueCount && end < chunkEnd; page++) {
    const at = table.add();
    const { numbers } = table;
    let checksum: number | undefined;
    try {
      checksum = readPage(reader, numbers, at);
      if (codec === 'UNCOMPRESSED') numbers[at + PAGE.isPacked] = 0;
      checkSizes(numbers, at);
      if (isForArrowRs || codec !== 'ZSTD' || numbers[at + PAGE.isPacked] === 0) {
        checkBody(numbers, at, buffer, chunkEnd, codec);
      }
    } catch (error) {
      throw new Error(`page ${page} of the chunk makes no sense: ${messageOf(error)}`);
    }
    const startByte = numbers[at + PAGE.startByte]!;
    end = numbers[at + PAGE.endByte]!;
    unpackedBytes += numbers[at + PAGE.unpackedBytes]!;
    if (checksum !== undefined) {
      if (end > chunkEnd) throw new Error(`page ${page} of the chunk reaches past its end`);
      const found = crc32(buffer.subarray(startByte, end));
      if (found !== checksum) {
        throw new Error(
          `page ${page} of the chunk has the checksum ${hex(found)}, its header says ${hex(checksum)}`,
        );
      }
    }
    const pageValues = numbers[at + PAGE.valueCount]!;
    if (pageValues >= 0) {
      if (haveChecksums !== undefined && haveChecksums !== (checksum !== undefined)) {
        throw new Error(`page ${page} of the chunk ${haveChecksums ? 'lacks a' : 'has the first'} checksum`);
      }
      haveChecksums = checksum !== undefined;
      values += pageValues;
    }
    reader.moveTo(end);
  }
  if (values > valueCount) throw new Error(`pages of the chunk hold ${values} values, not ${valueCount}`);
  return { unpackedBytes, endByte: end, areWhole: values === valueCount && end <= chunkEnd };
}

function checkSizes(numbers: Int32Array, at: number): void {
  const unpackedBytes = numbers[at + PAGE.unpackedBytes]!;
  const dictionaryCount = numbers[at + PAGE.dictionaryCount]!;
  const definitionBytes = numbers[at + PAGE.definitionBytes]!;
  const repetitionBytes = numbers[at + PAGE.repetitionBytes]!;
  checkSize(unpackedBytes);
  checkSize(dictionaryCount);
  checkSize(definitionBytes);
  checkSize(repetitionBytes);
  // Each takes a byte at least; the decoder makes room for all before it reads the first.
  if (dictionaryCount > unpackedBytes) {
    throw new Error(`a dictionary of ${dictionaryCount} values in ${unpackedBytes} bytes`);
  }
  const levelBytes = definitionBytes + repetitionBytes;
  const bytes = numbers[at + PAGE.endByte]! - numbers[at + PAGE.startByte]!;
  if (levelBytes > bytes) throw new Error(`levels of ${levelBytes} bytes in ${bytes}`);
}

function checkSize(size: number): void {
  if (size < 0) throw new Error(`a size of ${size}`);
}

function checkBody(
  numbers: Int32Array,
  at: number,
  buffer: Uint8Array,
  chunkEnd: number,
  codec: CompressionCodec,
): void {
  const levelBytes = numbers[at + PAGE.definitionBytes]! + numbers[at + PAGE.repetitionBytes]!;
  const start = numbers[at + PAGE.startByte]! + levelBytes;
  const packed = buffer.subarray(start, Math.min(numbers[at + PAGE.endByte]!, chunkEnd));
  const isPacked = numbers[at + PAGE.isPacked] === 1;
  checkUnpacking(isPacked ? codec : 'UNCOMPRESSED', packed, numbers[at + PAGE.unpackedBytes]! - levelBytes);
}

/**
 * @returns the CRC-32 of the page's bytes as they are in the file; most writers leave it out
 * @throws Error when the header at the reader's place can't be followed, or isn't of the types that its fields have
 */
function readPage(reader: CompactReader, numbers: Int32Array, at: number): number | undefined {
  let checksum: number | undefined;
  let pageBytes = 0;
  for (let head = reader.readHead(0); head !== STOP; head = reader.readHead(head)) {
    const field = head >> 4;
    const type = head & 15;
    if (field === UNCOMPRESSED_BYTES) numbers[at + PAGE.unpackedBytes] = reader.readInt32(type);
    else if (field === COMPRESSED_BYTES) pageBytes = reader.readInt32(type);
    else if (field === CHECKSUM) checksum = reader.readInteger(type) >>> 0;
    else if (field === PAGE_TYPE) reader.readInteger(type);
    else if (field < DATA_PAGE || field > DATA_PAGE_V2) reader.skip(type);
    // The decoder takes them for structs, whatever type stands there.
    else if (type !== STRUCT) throw new Error(`a header of type ${type}`);
    else if (field === DATA_PAGE) readFirstVersion(reader, numbers, at);
    else if (field === DICTIONARY_PAGE) readDictionary(reader, numbers, at);
    else if (field === DATA_PAGE_V2) readSecondVersion(reader, numbers, at);
    else reader.skip(type);
  }
  checkSize(pageBytes);
  numbers[at + PAGE.startByte] = reader.at;
  // Buffers end at 2^31 - 1: what reaches beyond that reaches beyond the chunk.
  numbers[at + PAGE.endByte] = Math.min(reader.at + pageBytes, LARGEST_INT32);
  return checksum;
}

function readDictionary(reader: CompactReader, numbers: Int32Array, at: number): void {
  for (let head = reader.readHead(0); head !== STOP; head = reader.readHead(head)) {
    const type = head & 15;
    const field = head >> 4;
    if (field === VALUE_COUNT) numbers[at + PAGE.dictionaryCount] = reader.readInt32(type);
    else if (field === ENCODING) numbers[at + PAGE.encoding] = reader.readInt32(type);
    else reader.skip(type);
  }
}

function readFirstVersion(reader: CompactReader, numbers: Int32Array, at: number): void {
  for (let head = reader.readHead(0); head !== STOP; head = reader.readHead(head)) {
    const type = head & 15;
    const field = head >> 4;
    if (field === VALUE_COUNT) numbers[at + PAGE.valueCount] = readCount(reader, type);
    else if (field === ENCODING) numbers[at + PAGE.encoding] = reader.readInt32(type);
    else if (field === DEFINITION_ENCODING) numbers[at + PAGE.definitionEncoding] = reader.readInt32(type);
    else if (field === REPETITION_ENCODING) numbers[at + PAGE.repetitionEncoding] = reader.readInt32(type);
    else reader.skip(type);
  }
}

function readSecondVersion(reader: CompactReader, numbers: Int32Array, at: number): void {
  numbers[at + PAGE.version] = 2;
  for (let head = reader.readHead(0); head !== STOP; head = reader.readHead(head)) {
    const type = head & 15;
    const field = head >> 4;
    if (field === VALUE_COUNT) numbers[at + PAGE.valueCount] = readCount(reader, type);
    else if (field === ENCODING_V2) numbers[at + PAGE.encoding] = reader.readInt32(type);
    else if (field === DEFINITION_BYTES) numbers[at + PAGE.definitionBytes] = reader.readInt32(type);
    else if (field === REPETITION_BYTES) numbers[at + PAGE.repetitionBytes] = reader.readInt32(type);
    else if (field === NULL_COUNT) numbers[at + PAGE.isUncounted] = reader.readInteger(type) < 0 ? 1 : 0;
    else if (field === ROW_COUNT) reader.readInteger(type);
    else if (field === IS_COMPRESSED && (type === TRUE || type === FALSE)) {
      numbers[at + PAGE.isPacked] = type === TRUE ? 1 : 0;
    } else reader.skip(type);
  }
}

/** Of a page's values, which are none of a dictionary's. */
function readCount(reader: CompactReader, type: number): number {
  const count = reader.readInt32(type);
  checkSize(count);
  return count;
}

function hex(checksum: number): string {
  return checksum.toString(16).padStart(8, '0');
}
