/*
 * Decoding of pages in WebAssembly, written in AssemblyScript: `npm run build:kernels` compiles it into lib/parquet/pageKernels.ts. It
 * shares libzstd's memory and calls it. Whatever a page says is held against what there is before anything is read or written; the
 * numbers of PageTable have been checked by checkPages. Up to SLACK_BYTES of lib/parquet/pageMemory.ts are read behind a page.
 */

import { areBelow, decodeHybrid, onlyRun, WIDEST_BITS } from './hybridRuns';

/** An import, of libzstd's ZSTD_decompress. @returns how many bytes they became, or an error's number, which is negative. */
declare function decompress(to: usize, toBytes: usize, from: usize, fromBytes: usize): i32;

// Of a page, as lib/parquet/pageTable.ts has it.
const START_BYTE: usize = 0;
const END_BYTE: usize = 4;
const UNPACKED_BYTES: usize = 8;
const VALUE_COUNT: usize = 12;
const DICTIONARY_COUNT: usize = 16;
const ENCODING: usize = 20;
const DEFINITION_BYTES: usize = 32;
const REPETITION_BYTES: usize = 36;
const VERSION: usize = 40;
const IS_PACKED: usize = 44;
const BODY_START: usize = 48;
const BODY_END: usize = 52;
const PAGE_BYTES: usize = 60;

// Of a chunk, as lib/parquet/pageMemory.ts has it: where its buffer's first byte would be, its pages and its rows.
const BUFFER: usize = 0;
const PAGES: usize = 4;
const ROWS: usize = 8;
const CHUNK_BYTES: usize = 12;

const SECOND_VERSION: i32 = 2;
const PLAIN: i32 = 0;

/**
 * Unpacks the bodies of ZSTD pages, one behind the other, and says of each page where its body is.
 * @param to room for what they say that they unpack to
 * @returns how many pages were unpacked as they say: all, or the number of the first that wasn't
 */
export function unpackBodies(page: usize, pageCount: i32, chunk: usize, to: usize): i32 {
  let left = load<i32>(chunk, PAGES);
  for (let index = 0; index < pageCount; index++, page += PAGE_BYTES, left--) {
    while (left === 0) {
      chunk += CHUNK_BYTES;
      left = load<i32>(chunk, PAGES);
    }
    // It is somewhere else already.
    if (load<usize>(page, BODY_START) !== 0) continue;
    const buffer = load<usize>(chunk, BUFFER);
    const levelBytes = load<usize>(page, DEFINITION_BYTES) + load<usize>(page, REPETITION_BYTES);
    const start = buffer + load<usize>(page, START_BYTE) + levelBytes;
    const end = buffer + load<usize>(page, END_BYTE);
    if (load<i32>(page, IS_PACKED) === 0) {
      store<usize>(page, start, BODY_START);
      store<usize>(page, end, BODY_END);
      continue;
    }
    const bytes = load<i32>(page, UNPACKED_BYTES) - <i32>levelBytes;
    // What unpacks to nothing holds no values, whatever stands there.
    if (bytes > 0 && decompress(to, bytes, start, end - start) !== bytes) return index;
    store<usize>(page, to, BODY_START);
    to += bytes;
    store<usize>(page, to, BODY_END);
  }
  return pageCount;
}

// The column at hand.
let valueBytes: usize = 0;
let valuesAt: usize = 0;
let valuesEnd: usize = 0;
let endsAt: usize = 0;
let mostValues: usize = 0;
let valueCount: usize = 0;
/** Of the row group's dictionary among all values. */
let dictionaryStart: usize = 0;
let dictionaryEnd: usize = 0;
/** Where an element's index goes. */
let indicesAt: usize = 0;
let isValidAt: usize = 0;
let slotCount: usize = 0;
let nullCount: usize = 0;
/** Numbers of a page: repetitions, definitions, indices. */
let repetitionsAt: usize = 0;
let definitionsAt: usize = 0;
let foundAt: usize = 0;
// Of lists.
let offsetsAt: usize = 0;
let isRowValidAt: usize = 0;
let rowNullCount: usize = 0;
let rowCount: usize = 0;
let rowEnd: usize = 0;
let row: usize = 0;
let element: usize = 0;
let isChunkStart: bool = false;

/**
 * Where the values of the next column go, dictionaries and plain ones one behind the other.
 * @param bytes of a value; 0 for those that have their length before them, whose ends are then stored
 * @param most values, for which there are ends and one more
 */
export function placeValues(bytes: usize, at: usize, end: usize, ends: usize, most: usize): void {
  valueBytes = bytes;
  valuesAt = at;
  valuesEnd = end;
  endsAt = ends;
  mostValues = most;
  valueCount = 0;
  if (bytes === 0) store<i32>(ends, 0);
}

/** Where indices and, as bits, what of them is valid go, and room for so many levels and indices as a page has at most, each. */
export function placeIndices(
  at: usize,
  isValid: usize,
  slots: usize,
  scratch: usize,
  pageSlots: usize,
): void {
  indicesAt = at;
  isValidAt = isValid;
  slotCount = slots;
  nullCount = 0;
  repetitionsAt = scratch;
  definitionsAt = scratch + 4 * pageSlots;
  foundAt = definitionsAt + 4 * pageSlots;
}

export function placeRows(offsets: usize, isValid: usize, rows: usize): void {
  offsetsAt = offsets;
  isRowValidAt = isValid;
  rowCount = rows;
  rowNullCount = 0;
}

export function valuesFound(): usize {
  return valueCount;
}

export function nullsFound(): usize {
  return nullCount;
}

export function elementsFound(): usize {
  return element;
}

export function nullRowsFound(): usize {
  return rowNullCount;
}

/**
 * Decodes the pages of a column with one value, or a null, in each row to indices of its values.
 * @returns 0 when the pages don't hold what they should
 */
export function decodeFlat(page: usize, chunk: usize, chunkCount: i32, valueLevel: i32): i32 {
  row = 0;
  rowEnd = 0;
  for (; chunkCount > 0; chunkCount--, chunk += CHUNK_BYTES) {
    rowEnd += load<usize>(chunk, ROWS);
    dictionaryStart = valueCount;
    dictionaryEnd = valueCount;
    for (let left = load<i32>(chunk, PAGES); left > 0; left--, page += PAGE_BYTES) {
      if (load<i32>(page, VALUE_COUNT) < 0) {
        if (!addDictionary(page)) return 0;
      } else if (!decodeFlatPage(page, load<usize>(chunk, BUFFER), valueLevel)) return 0;
    }
    if (row !== rowEnd) return 0;
  }
  return 1;
}

/** The same of a column with a list of values, or a null, in each row. */
export function decodeLists(
  page: usize,
  chunk: usize,
  chunkCount: i32,
  rowLevel: i32,
  elementLevel: i32,
  valueLevel: i32,
): i32 {
  row = 0;
  rowEnd = 0;
  element = 0;
  for (; chunkCount > 0; chunkCount--, chunk += CHUNK_BYTES) {
    rowEnd += load<usize>(chunk, ROWS);
    dictionaryStart = valueCount;
    dictionaryEnd = valueCount;
    isChunkStart = true;
    for (let left = load<i32>(chunk, PAGES); left > 0; left--, page += PAGE_BYTES) {
      if (load<i32>(page, VALUE_COUNT) < 0) {
        if (!addDictionary(page)) return 0;
      } else if (!decodeListPage(page, load<usize>(chunk, BUFFER), rowLevel, elementLevel, valueLevel))
        return 0;
    }
    if (row !== rowEnd) return 0;
  }
  store<usize>(offsetsAt + 4 * row, element);
  return 1;
}

function addDictionary(page: usize): bool {
  if (
    !addValues(
      load<usize>(page, BODY_START),
      load<usize>(page, BODY_END),
      load<usize>(page, DICTIONARY_COUNT),
    )
  )
    return false;
  dictionaryEnd = valueCount;
  return true;
}

/** Values in Parquet's PLAIN encoding. @returns false when there aren't so many */
function addValues(start: usize, end: usize, count: usize): bool {
  if (valueBytes === 0) return addSizedValues(start, end, count);
  const bytes = <u64>count * valueBytes;
  const to = valuesAt + valueCount * valueBytes;
  if (bytes > <u64>(end - start) || bytes > <u64>(valuesEnd - to)) return false;
  memory.copy(to, start, <usize>bytes);
  valueCount += count;
  return true;
}

function addSizedValues(start: usize, end: usize, count: usize): bool {
  if (count > mostValues - valueCount) return false;
  let ends = endsAt + 4 * valueCount;
  let to = valuesAt + load<usize>(ends);
  let at = start;
  for (let index: usize = 0; index < count; index++) {
    if (at + 4 > end) return false;
    const size = load<usize>(at);
    at += 4;
    if (size > end - at || size > valuesEnd - to) return false;
    if (size <= 16) {
      for (const last = to + size; to < last; to++, at++) store<u8>(to, load<u8>(at));
    } else {
      memory.copy(to, at, size);
      to += size;
      at += size;
    }
    ends += 4;
    store<usize>(ends, to - valuesAt);
  }
  valueCount += count;
  return true;
}

function decodeFlatPage(page: usize, buffer: usize, valueLevel: i32): bool {
  const count = load<usize>(page, VALUE_COUNT);
  if (count > rowEnd - row) return false;
  const first = row;
  row += count;
  let start = load<usize>(page, BODY_START);
  const end = load<usize>(page, BODY_END);
  const to = indicesAt + 4 * first;
  if (valueLevel === 0) return decodeValues(page, start, end, count, to);
  let levels = buffer + load<usize>(page, START_BYTE) + load<usize>(page, REPETITION_BYTES);
  let levelsEnd = levels + load<usize>(page, DEFINITION_BYTES);
  if (load<i32>(page, VERSION) !== SECOND_VERSION) {
    levels = start + 4;
    levelsEnd = endOfSized(start, end);
    if (levelsEnd === 0) return false;
    start = levelsEnd;
  }
  if (onlyRun(levels, levelsEnd, count) === valueLevel) return decodeValues(page, start, end, count, to);
  if (!decodeLevels(levels, levelsEnd, 1, definitionsAt, count)) return false;
  let values: usize = 0;
  for (let at: usize = 0; at < count; at++) values += load<usize>(definitionsAt + 4 * at);
  if (!decodeValues(page, start, end, values, foundAt)) return false;
  let from = foundAt;
  for (let at: usize = 0; at < count; at++) {
    if (load<usize>(definitionsAt + 4 * at) === 1) {
      store<usize>(to + 4 * at, load<usize>(from));
      from += 4;
    } else {
      store<usize>(to + 4 * at, 0);
      setNull(first + at);
    }
  }
  return true;
}

function decodeListPage(page: usize, buffer: usize, rowLevel: i32, elementLevel: i32, valueLevel: i32): bool {
  const count = load<usize>(page, VALUE_COUNT);
  let start = load<usize>(page, BODY_START);
  const end = load<usize>(page, BODY_END);
  let repetitions = buffer + load<usize>(page, START_BYTE);
  let repetitionsEnd = repetitions + load<usize>(page, REPETITION_BYTES);
  let definitions = repetitionsEnd;
  let definitionsEnd = definitions + load<usize>(page, DEFINITION_BYTES);
  if (load<i32>(page, VERSION) !== SECOND_VERSION) {
    repetitions = start + 4;
    repetitionsEnd = endOfSized(start, end);
    if (repetitionsEnd === 0) return false;
    definitions = repetitionsEnd + 4;
    definitionsEnd = endOfSized(repetitionsEnd, end);
    if (definitionsEnd === 0) return false;
    start = definitionsEnd;
  }
  if (!decodeLevels(repetitions, repetitionsEnd, 1, repetitionsAt, count)) return false;
  if (!decodeLevels(definitions, definitionsEnd, valueLevel, definitionsAt, count)) return false;
  const first = element;
  const values = placeElements(count, rowLevel, elementLevel, valueLevel);
  if (values < 0) return false;
  const to = indicesAt + 4 * first;
  if (element - first === <usize>values) return decodeValues(page, start, end, values, to);
  if (!decodeValues(page, start, end, values, foundAt)) return false;
  let from = foundAt;
  for (let slot: usize = 0, at = first; slot < count; slot++) {
    const level = load<i32>(definitionsAt + 4 * slot);
    if (level === valueLevel) {
      store<usize>(indicesAt + 4 * at++, load<usize>(from));
      from += 4;
    } else if (level >= elementLevel) {
      store<usize>(indicesAt + 4 * at, 0);
      setNull(at++);
    }
  }
  return true;
}

/** Rows begin where the repetition is 0; a page may begin within one. @returns how many values there are, -1 for too many rows */
function placeElements(count: usize, rowLevel: i32, elementLevel: i32, valueLevel: i32): i32 {
  if (count > 0 && isChunkStart && load<usize>(repetitionsAt) !== 0) return -1;
  if (count > 0) isChunkStart = false;
  let values = 0;
  // Signs in place of branches: nobody can foresee where a list ends. What is written within a list is written over.
  for (let slot: usize = 0; slot < count; slot++) {
    const level = load<i32>(definitionsAt + 4 * slot);
    const isWithin = load<usize>(repetitionsAt + 4 * slot);
    const next = row + 1 - isWithin;
    if (next > rowEnd) return -1;
    store<usize>(offsetsAt + 4 * row, element);
    if (level < rowLevel && isWithin === 0) setNullRow(row);
    row = next;
    element += 1 + ((level - elementLevel) >> 31);
    values += 1 + ((level - valueLevel) >> 31);
  }
  return values;
}

function setNull(slot: usize): void {
  if (nullCount++ === 0) memory.fill(isValidAt, 255, (slotCount + 7) >> 3);
  clearBit(isValidAt, slot);
}

function setNullRow(slot: usize): void {
  if (rowNullCount++ === 0) memory.fill(isRowValidAt, 255, (rowCount + 7) >> 3);
  clearBit(isRowValidAt, slot);
}

function clearBit(bits: usize, slot: usize): void {
  const at = bits + (slot >> 3);
  store<u8>(at, load<u8>(at) & ~((<u8>1) << (<u8>(slot & 7))));
}

/** Decodes the indices of so many values. @returns false when they aren't there */
function decodeValues(page: usize, start: usize, end: usize, count: usize, to: usize): bool {
  if (count === 0) return true;
  if (load<i32>(page, ENCODING) === PLAIN) {
    const first = valueCount;
    if (!addValues(start, end, count)) return false;
    for (let index: usize = 0; index < count; index++) store<usize>(to + 4 * index, first + index);
    return true;
  }
  if (start >= end) return false;
  const bitWidth = <i32>load<u8>(start);
  if (bitWidth > WIDEST_BITS) return false;
  const bits = decodeHybrid(start + 1, end, bitWidth, to, count, dictionaryStart);
  return areBelow(<i32>(dictionaryEnd - dictionaryStart), bits, to, count, dictionaryStart);
}

/** Levels of the first version have their size before them. @returns 0 when they reach beyond the end */
function endOfSized(start: usize, end: usize): usize {
  if (start + 4 > end) return 0;
  const size = load<usize>(start);
  return size > end - start - 4 ? 0 : start + 4 + size;
}

/** @returns false when there are fewer, or one is above the largest that the column has */
function decodeLevels(start: usize, end: usize, largest: i32, to: usize, count: usize): bool {
  if (count === 0) return true;
  const bits = decodeHybrid(start, end, 32 - clz(largest), to, count, 0);
  return areBelow(largest + 1, bits, to, count, 0);
}
