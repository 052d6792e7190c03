/*
 * Decoding of pages in WebAssembly, written in AssemblyScript: `npm run build:kernels` compiles it into lib/parquet/pageKernels.ts. It
 * shares libzstd's memory and calls it. Whatever a page says is held against what there is before anything is read or written; the
 * numbers of PageTable have been checked by checkPages. Up to SLACK_BYTES of lib/parquet/pageMemory.ts are read behind a page.
 */

import { areBelow, decodeHybrid, onlyRun } from './hybridRuns';
import {
  BODY_END,
  BODY_START,
  BUFFER,
  CHUNK_BYTES,
  CODEC,
  DEFINITION_BYTES,
  END_BYTE,
  IS_PACKED,
  PAGE_BYTES,
  PAGES,
  REPETITION_BYTES,
  ROWS,
  SECOND_VERSION,
  SNAPPY,
  START_BYTE,
  UNPACKED_BYTES,
  VALUE_COUNT,
  VERSION,
} from './pageNumbers';
import { addDictionary, decodeValues, forgetDictionary } from './pageValues';
import { unpackSnappy } from './snappyBlocks';

/** An import, of libzstd's ZSTD_decompress. @returns how many bytes they became, or an error's number, which is negative. */
declare function decompress(to: usize, toBytes: usize, from: usize, fromBytes: usize): i32;

/**
 * Unpacks the bodies of Snappy's and ZSTD's pages, one behind the other, and says of each page where its body is.
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
    if (bytes > 0) {
      const isDone =
        load<i32>(chunk, CODEC) === SNAPPY
          ? unpackSnappy(to, bytes, start, end - start)
          : decompress(to, bytes, start, end - start) === bytes;
      if (!isDone) return index;
    }
    store<usize>(page, to, BODY_START);
    to += bytes;
    store<usize>(page, to, BODY_END);
  }
  return pageCount;
}

// The column at hand.
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
    forgetDictionary();
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
    forgetDictionary();
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
