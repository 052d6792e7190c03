import { type Data, Field } from 'apache-arrow';
import { checkPages, LARGEST_UNPACKED_BYTES } from './checkPages.ts';
import type { ColumnMemory } from './columnMemory.ts';
import { type ColumnShape, columnShape } from './columnShape.ts';
import { decodePages, type FollowedColumn } from './decodePages.ts';
import type { PlacedChunk } from './encodeFooter.ts';
import { ENCODING, PAGE, PAGE_NUMBERS, PageTable } from './pageTable.ts';
import type { ReusedMemory } from './reusedMemory.ts';
import type { ReadRowGroupBytes } from './rowGroupReads.ts';
import { CALL_BYTES, mayNeedArrowRs } from './unpackElsewhere.ts';

/** What kernels unpack together: half of a core's cache, so that it is still there when it is decoded. */
const UNPACK_BYTES = 512 * 1024;
/** The same where arrow-rs unpacks: each call of it takes as long as some hundred rows. */
const UNPACK_BY_ARROW_RS_BYTES = 16 * 1024 * 1024;

/** The rows of row groups in one column: its values, once each or nearly, and an index of them for each row or list element. */
export interface DictionaryColumn {
  readonly field: Field;
  readonly data: Data;
}

/** Of the columns at hand; one per thread. */
const table = new PageTable();

/**
 * Decodes columns whose pages hold indices of a dictionary, or plain values, without making the values of all rows: what is to
 * be known of a value has then to be worked out once, not row by row.
 *
 * @param rowGroups with the same columns
 * @param names of the columns to decode
 * @param memory of copies of what is packed
 * @param into memory of what is returned
 * @returns by name, the rows of one row group after the other. Columns of other types or encodings are left out, and whatever is
 * damaged: arrow-rs knows what to say of it
 * @throws as decodePages
 */
export function decodeDictionaryColumns(
  rowGroups: readonly ReadRowGroupBytes[],
  names: ReadonlySet<string>,
  memory: ReusedMemory,
  into: ColumnMemory = memory,
): ReadonlyMap<string, DictionaryColumn> {
  const decoded = new Map<string, DictionaryColumn>();
  let waiting: FollowedColumn[] = [];
  let waitingBytes = 0;
  const decodeWaiting = () => {
    for (const [index, data] of decodePages(waiting, table, rowGroups, memory, into).entries()) {
      if (data === undefined) continue;
      const { name, nullable } = waiting[index]!.shape.field;
      decoded.set(name, { field: new Field(name, data.type, nullable), data });
    }
    [waiting, waitingBytes] = [[], 0];
  };
  table.keep(0);
  for (const [index, { column }] of rowGroups[0]!.reads.columns.entries()) {
    const shape = names.has(column.name) ? columnShape(column) : null;
    const followed = shape && follow(shape, rowGroups, index);
    if (!followed) continue;
    const needsArrowRs = followed.chunks.some(({ codec }) => mayNeedArrowRs(codec));
    const mostBytes = needsArrowRs ? UNPACK_BY_ARROW_RS_BYTES : UNPACK_BYTES;
    if (waiting.length > 0 && waitingBytes + followed.unpackedBytes > mostBytes) decodeWaiting();
    waiting.push(followed);
    waitingBytes += followed.unpackedBytes;
  }
  if (waiting.length > 0) decodeWaiting();
  return decoded;
}

/** Undefined when a page can't be followed or has another encoding, and for more than can be read. */
function follow(
  shape: ColumnShape,
  rowGroups: readonly ReadRowGroupBytes[],
  index: number,
): FollowedColumn | undefined {
  const firstPage = table.count;
  const chunks = rowGroups.map(({ reads }) => reads.columns[index]!.chunks[0]!);
  const pageCounts = new Int32Array(chunks.length);
  let unpackedBytes = 0;
  for (const [place, { buffer }] of rowGroups.entries()) {
    const before = table.count;
    const bytes = followChunk(shape, buffer, chunks[place]!);
    pageCounts[place] = table.count - before;
    unpackedBytes += bytes;
    if (bytes >= 0 && unpackedBytes <= LARGEST_UNPACKED_BYTES) continue;
    table.keep(firstPage);
    return undefined;
  }
  return { shape, chunks, firstPage, endPage: table.count, pageCounts, unpackedBytes };
}

/** @returns what its pages unpack to; -1 when there is one that can't be read */
function followChunk(shape: ColumnShape, buffer: Uint8Array, chunk: PlacedChunk): number {
  const firstPage = table.count;
  try {
    const { areWhole, unpackedBytes } = checkPages(buffer, chunk, table, false);
    if (!areWhole) return -1;
    // Arrow-rs needs less for a column of large pages than to unpack them.
    const mostBytes = mayNeedArrowRs(chunk.codec) ? CALL_BYTES : LARGEST_UNPACKED_BYTES;
    for (let page = firstPage; page < table.count; page++) {
      const at = PAGE_NUMBERS * page;
      if (table.numbers[at + PAGE.unpackedBytes]! > mostBytes) return -1;
      if (!isReadable(at, page === firstPage, shape)) return -1;
    }
    return unpackedBytes;
  } catch {
    return -1;
  }
}

function isReadable(at: number, isFirst: boolean, { isList, valueLevel }: ColumnShape): boolean {
  const { numbers } = table;
  const encoding = numbers[at + PAGE.encoding];
  const levelBytes = numbers[at + PAGE.definitionBytes]! + numbers[at + PAGE.repetitionBytes]!;
  if (numbers[at + PAGE.unpackedBytes]! < levelBytes) return false;
  const isPlain = encoding === ENCODING.plain || encoding === ENCODING.plainDictionary;
  if (numbers[at + PAGE.valueCount]! < 0) return isFirst && isPlain;
  if (!isPlain && encoding !== ENCODING.rleDictionary) return false;
  if (numbers[at + PAGE.version] === 2) return true;
  return (
    (valueLevel === 0 || numbers[at + PAGE.definitionEncoding] === ENCODING.rle) &&
    (!isList || numbers[at + PAGE.repetitionEncoding] === ENCODING.rle)
  );
}
