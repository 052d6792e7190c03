import type { Data } from 'apache-arrow';
import type { ColumnMemory } from './columnMemory.ts';
import type { PlacedChunk } from './encodeFooter.ts';
import { columnWork, decodeColumn, type PlacedPages, type UnpackedColumn } from './indexedColumn.ts';
import { PageMemory, placedBytes } from './pageMemory.ts';
import { PAGE, PAGE_NUMBERS, type PageTable } from './pageTable.ts';
import type { ReusedMemory } from './reusedMemory.ts';
import type { ReadRowGroupBytes } from './rowGroupReads.ts';
import {
  isUnpackedByKernels,
  isUnpackedElsewhere,
  type PackedPage,
  unpackElsewhere,
} from './unpackElsewhere.ts';

/** A column whose pages are in a PageTable, one behind the other, and of encodings that can be read here. */
export interface FollowedColumn extends UnpackedColumn {
  /** One of each row group. */
  readonly chunks: readonly PlacedChunk[];
  readonly unpackedBytes: number;
}

/** Of a chunk, as kernels/pageKernels.ts has it: the address that its buffer would begin at, its pages, its rows and its codec. */
const CHUNK_NUMBERS = 4;
const SNAPPY = 1;
const OTHER_CODEC = 0;
const NUMBER_BYTES = 4;

/**
 * Unpacks the pages of columns and decodes them to indices of their values: the dictionaries of all row groups one behind the other,
 * and the values that a writer has put down plainly behind that of their row group. All pages of a column take one call of
 * WebAssembly, whose memory has what is packed, what it unpacks to and what a column becomes; that is copied once.
 * @param columns whose pages stand one behind the other in the table, the first column's first
 * @param memory of copies of what is packed
 * @param into memory of what is returned
 * @returns of each column, of type Dictionary, or List of Dictionary; undefined when its pages don't hold what they should
 * @throws Error when a page can't be unpacked, or unpacks to another number of bytes than it says; as decodeBatches
 */
export function decodePages(
  columns: readonly FollowedColumn[],
  table: PageTable,
  rowGroups: readonly ReadRowGroupBytes[],
  memory: ReusedMemory,
  into: ColumnMemory,
): (Data | undefined)[] {
  const rows = rowGroups.reduce((sum, { reads }) => sum + reads.rowCount, 0);
  const { firstPage } = columns[0]!;
  const pageBytes = NUMBER_BYTES * PAGE_NUMBERS * (columns.at(-1)!.endPage - firstPage);
  const chunkBytes = NUMBER_BYTES * CHUNK_NUMBERS * columns.length * rowGroups.length;
  const elsewhere = columns.map((column) => packedElsewhere(column, table, rowGroups));
  const packedBytes = elsewhere.reduce((sum, { restBytes }) => restBytes.reduce((a, b) => a + b, sum), 0);
  const unpackedBytes = columns.reduce((sum, column) => sum + column.unpackedBytes, 0);
  const works = columns.map((column) => columnWork(column, table, rows));
  const columnBytes = works.reduce((most, { sizeBytes }) => Math.max(most, sizeBytes), 0);
  const sizes = [packedBytes, unpackedBytes, pageBytes, chunkBytes, columnBytes];
  return PageMemory.use(
    sizes.reduce((sum, bytes) => sum + placedBytes(bytes), 0),
    (pages) => {
      const placed = {
        pages: pages.place(pageBytes),
        chunks: pages.place(chunkBytes),
        chunkCount: rowGroups.length,
      };
      const file = { at: pages.place(packedBytes), sizeBytes: packedBytes };
      placeChunks({ columns, elsewhere, rowGroups, pages, file, chunks: placed.chunks });
      const pagesElsewhere = elsewhere.flatMap((ofColumn) => ofColumn.pages);
      unpack({ columns, table, pagesElsewhere, memory, pages, placed, to: pages.place(unpackedBytes) });
      return columns.map((column, index) =>
        pages.borrow(() => {
          const own: PlacedPages = {
            pages: placed.pages + NUMBER_BYTES * PAGE_NUMBERS * (column.firstPage - firstPage),
            chunks: placed.chunks + NUMBER_BYTES * CHUNK_NUMBERS * rowGroups.length * index,
            chunkCount: rowGroups.length,
          };
          return decodeColumn(column, works[index]!, rows, own, pages, into);
        }),
      );
    },
  );
}

interface PlacedFile {
  readonly columns: readonly FollowedColumn[];
  readonly elsewhere: readonly PackedElsewhere[];
  readonly rowGroups: readonly ReadRowGroupBytes[];
  readonly pages: PageMemory;
  /** Address and size of the memory that the chunks are copied to. */
  readonly file: { readonly at: number; readonly sizeBytes: number };
  /** Address of the numbers that say where in it each chunk is. */
  readonly chunks: number;
}

/** Copies the bytes of the chunks, neighbours of a row group by one call. */
function placeChunks({
  columns,
  elsewhere,
  rowGroups,
  pages,
  file: { at, sizeBytes },
  chunks: placed,
}: PlacedFile) {
  const file = pages.bytes(at, sizeBytes);
  const numbers = pages.integers(placed, CHUNK_NUMBERS * columns.length * rowGroups.length);
  let to = 0;
  for (const [group, { buffer, reads }] of rowGroups.entries()) {
    let [start, end] = [0, 0];
    const copy = () => {
      file.set(buffer.subarray(start, end), to);
      to += end - start;
    };
    for (const [index, { chunks, pageCounts }] of columns.entries()) {
      const { startByte, codec } = chunks[group]!;
      if (startByte !== end) {
        copy();
        start = startByte;
      }
      end = startByte + elsewhere[index]!.restBytes[group]!;
      const number = CHUNK_NUMBERS * (index * rowGroups.length + group);
      numbers[number] = at + to - start;
      numbers[number + 1] = pageCounts[group]!;
      numbers[number + 2] = reads.rowCount;
      numbers[number + 3] = codec === 'SNAPPY' ? SNAPPY : OTHER_CODEC;
    }
    copy();
  }
}

interface Unpacking {
  readonly columns: readonly FollowedColumn[];
  readonly table: PageTable;
  readonly pagesElsewhere: readonly PageElsewhere[];
  readonly memory: ReusedMemory;
  readonly pages: PageMemory;
  readonly placed: PlacedPages;
  /** Where unpacked bytes go, one page behind the other. */
  readonly to: number;
}

function unpack({ columns, table, pagesElsewhere, memory, pages, placed, to }: Unpacking): void {
  const { firstPage } = columns[0]!;
  const { numbers } = table;
  let left = to;
  for (const { bytes, places } of unpackElsewhere(pagesElsewhere, memory)) {
    pages.bytes(left, bytes.length).set(bytes);
    for (const place of places) {
      const { page, unpackedBytes } = pagesElsewhere[place]!;
      numbers[PAGE_NUMBERS * page + PAGE.bodyStart] = left;
      left += unpackedBytes;
      numbers[PAGE_NUMBERS * page + PAGE.bodyEnd] = left;
    }
  }
  const { endPage } = columns.at(-1)!;
  const own = numbers.subarray(PAGE_NUMBERS * firstPage, PAGE_NUMBERS * endPage);
  pages.integers(placed.pages, own.length).set(own);
  const pageCount = endPage - firstPage;
  const done = pages.kernels.unpackBodies(placed.pages, pageCount, placed.chunks, left);
  if (done < pageCount) throw new Error("a page doesn't unpack to the bytes that it says");
}

interface PageElsewhere extends PackedPage {
  /** In the table. */
  readonly page: number;
}

/** Pages that kernels don't unpack. */
interface PackedElsewhere {
  readonly pages: readonly PageElsewhere[];
  /** What of each chunk is needed in WebAssembly's memory: all of it, or nothing where all pages are unpacked elsewhere. */
  readonly restBytes: readonly number[];
}

function packedElsewhere(
  { chunks, pageCounts, firstPage }: FollowedColumn,
  { numbers }: PageTable,
  rowGroups: readonly ReadRowGroupBytes[],
): PackedElsewhere {
  const pages: PageElsewhere[] = [];
  let page = firstPage;
  const restBytes = chunks.map(({ codec, startByte, endByte }, group) => {
    let isNeeded = false;
    for (const end = page + pageCounts[group]!; page < end; page++) {
      const at = PAGE_NUMBERS * page;
      const levelBytes = numbers[at + PAGE.definitionBytes]! + numbers[at + PAGE.repetitionBytes]!;
      const unpackedBytes = numbers[at + PAGE.unpackedBytes]! - levelBytes;
      const isPacked = numbers[at + PAGE.isPacked] === 1;
      if (!isPacked || unpackedBytes === 0 || isUnpackedByKernels(codec, unpackedBytes)) {
        isNeeded = true;
        continue;
      }
      const start = numbers[at + PAGE.startByte]! + levelBytes;
      const packed = rowGroups[group]!.buffer.subarray(start, numbers[at + PAGE.endByte]);
      const found = { codec, packed, unpackedBytes, page };
      if (isUnpackedElsewhere(found)) pages.push(found);
      if (levelBytes > 0 || pages.at(-1) !== found) isNeeded = true;
    }
    return isNeeded ? endByte - startByte : 0;
  });
  return { pages, restBytes };
}
