import { type Data, Field } from 'apache-arrow';
import { type ChunkPage, type ChunkPages, checkPages, LARGEST_UNPACKED_BYTES } from './checkPages.ts';
import { type ColumnShape, columnShape } from './columnShape.ts';
import type { ValuesSize } from './dictionaryValues.ts';
import { FlatDecoder } from './flatDecoder.ts';
import type { UnpackedChunk } from './indexDecoder.ts';
import { ListDecoder } from './listDecoder.ts';
import type { ReusedMemory } from './reusedMemory.ts';
import type { ReadRowGroupBytes } from './rowGroupReads.ts';
import { type PackedBytes, unpackPages } from './unpackPages.ts';

/** Encodings of pages by their numbers in parquet.thrift. */
const PLAIN = 0;
const PLAIN_DICTIONARY = 2;
const RLE = 3;
const RLE_DICTIONARY = 8;
/** What is unpacked together: arrow-rs holds it three times. */
const UNPACK_BYTES = 16 * 1024 * 1024;

/** The rows of row groups in one column: its values, once each or nearly, and an index of them for each row or list element. */
export interface DictionaryColumn {
  readonly field: Field;
  readonly data: Data;
}

/**
 * Decodes columns whose pages hold indices of a dictionary, or plain values, without making the values of all rows: what is to
 * be known of a value has then to be worked out once, not row by row. arrow-rs unpacks the pages; levels and indices are
 * decoded here.
 *
 * @param rowGroups with the same columns
 * @param names of the columns to decode
 * @param memory of copies of what is packed, and of indices
 * @returns by name, the rows of one row group after the other. Columns of other types or encodings are left out, and whatever is
 * damaged: arrow-rs knows what to say of it
 * @throws as unpackPages
 */
export function decodeDictionaryColumns(
  rowGroups: readonly ReadRowGroupBytes[],
  names: ReadonlySet<string>,
  memory: ReusedMemory,
): ReadonlyMap<string, DictionaryColumn> {
  const decoded = new Map<string, DictionaryColumn>();
  const rowCounts = rowGroups.map(({ reads }) => reads.rowCount);
  let waiting: FollowedColumn[] = [];
  let waitingBytes = 0;
  const decodeWaiting = () => {
    const bodies = unpackPages(
      waiting.flatMap(({ packed }) => packed),
      memory,
    );
    let firstBody = 0;
    for (const { shape, pages } of waiting) {
      const chunks = pages.map((ofChunk, index): UnpackedChunk => {
        const chunk = { buffer: rowGroups[index]!.buffer, pages: ofChunk, bodies, firstBody };
        firstBody += ofChunk.length;
        return chunk;
      });
      const data = decodeIndices(shape, chunks, rowCounts, memory);
      if (data === undefined) continue;
      const { name, nullable } = shape.field;
      decoded.set(name, { field: new Field(name, data.type, nullable), data });
    }
    [waiting, waitingBytes] = [[], 0];
  };
  for (const [index, { column }] of rowGroups[0]!.reads.columns.entries()) {
    const shape = names.has(column.name) ? columnShape(column) : null;
    const followed = shape && follow(shape, rowGroups, index);
    if (!followed) continue;
    if (waiting.length > 0 && waitingBytes + followed.unpackedBytes > UNPACK_BYTES) decodeWaiting();
    waiting.push(followed);
    waitingBytes += followed.unpackedBytes;
  }
  if (waiting.length > 0) decodeWaiting();
  return decoded;
}

interface FollowedColumn {
  readonly shape: ColumnShape;
  /** Of each row group. */
  readonly pages: readonly (readonly ChunkPage[])[];
  /** What may be packed of the pages, in their order. */
  readonly packed: readonly PackedBytes[];
  readonly unpackedBytes: number;
}

/** Undefined when a page can't be followed or has another encoding, and for more than can be read. */
function follow(
  shape: ColumnShape,
  rowGroups: readonly ReadRowGroupBytes[],
  index: number,
): FollowedColumn | undefined {
  const all: PackedBytes[] = [];
  const ofRowGroups: (readonly ChunkPage[])[] = [];
  let unpackedBytes = 0;
  for (const { reads, buffer } of rowGroups) {
    const chunk = reads.columns[index]!.chunks[0]!;
    let found: ChunkPages;
    try {
      found = checkPages(buffer, chunk);
    } catch {
      return undefined;
    }
    const { pages, areWhole } = found;
    if (!areWhole || !pages.every((page, place) => isReadable(page, place, shape))) return undefined;
    unpackedBytes += found.unpackedBytes;
    if (unpackedBytes > LARGEST_UNPACKED_BYTES) return undefined;
    for (const page of pages) {
      const start = page.startByte + page.definitionBytes + page.repetitionBytes;
      const valueBytes = page.unpackedBytes - page.definitionBytes - page.repetitionBytes;
      if (valueBytes < 0) return undefined;
      const isPacked = page.isCompressed && chunk.codec !== 'UNCOMPRESSED';
      // What unpacks to nothing holds no values, whatever stands there: packed bytes are none.
      const packed = buffer.subarray(start, isPacked && valueBytes === 0 ? start : page.endByte);
      const codec = packed.length > 0 && isPacked ? chunk.codec : 'UNCOMPRESSED';
      all.push({ codec, packed, unpackedBytes: valueBytes });
    }
    ofRowGroups.push(pages);
  }
  return { shape, pages: ofRowGroups, packed: all, unpackedBytes };
}

function isReadable(page: ChunkPage, place: number, { isList, valueLevel }: ColumnShape): boolean {
  const { valueCount, encoding, definitionBytes, repetitionBytes, isSecondVersion } = page;
  const isPlain = encoding === PLAIN || encoding === PLAIN_DICTIONARY;
  if (valueCount === undefined) return place === 0 && isPlain;
  if (encoding !== PLAIN && encoding !== RLE_DICTIONARY && encoding !== PLAIN_DICTIONARY) return false;
  if (isSecondVersion) return definitionBytes >= 0 && repetitionBytes >= 0;
  return (
    (valueLevel === 0 || page.definitionEncoding === RLE) && (!isList || page.repetitionEncoding === RLE)
  );
}

/**
 * Decodes the pages of a column to indices of its values: the dictionaries of all row groups one behind the other, and the values
 * that a writer has put down plainly behind that of their row group.
 * @param chunks of the row groups, which have `rowCounts` rows
 * @param memory of the indices
 * @returns a column of type Dictionary, or List of Dictionary; undefined when the pages don't hold what they should
 */
function decodeIndices(
  shape: ColumnShape,
  chunks: readonly UnpackedChunk[],
  rowCounts: readonly number[],
  memory: ReusedMemory,
): Data | undefined {
  const rows = rowCounts.reduce((sum, count) => sum + count, 0);
  const decoder = shape.isList
    ? new ListDecoder(shape, rows, slotsOf(chunks), sizeOf(chunks), memory)
    : new FlatDecoder(shape, rows, sizeOf(chunks), memory);
  for (const [index, chunk] of chunks.entries()) {
    if (!decoder.decodeChunk(chunk, rowCounts[index]!)) return undefined;
  }
  return decoder.finish();
}

/** Of dictionaries and of pages with values that aren't indices, nulls and levels counted as values. */
function sizeOf(chunks: readonly UnpackedChunk[]): ValuesSize {
  let values = 0;
  let bytes = 0;
  for (const { pages, bodies, firstBody } of chunks) {
    for (const [index, page] of pages.entries()) {
      if (page.valueCount !== undefined && page.encoding !== PLAIN) continue;
      const { start, end } = bodies[firstBody + index]!;
      values += page.valueCount ?? page.dictionaryCount;
      bytes += end - start;
    }
  }
  return { values, bytes };
}

/** Values, nulls and empty lists. */
function slotsOf(chunks: readonly UnpackedChunk[]): number {
  let slots = 0;
  for (const { pages } of chunks) for (const { valueCount = 0 } of pages) slots += valueCount;
  return slots;
}
