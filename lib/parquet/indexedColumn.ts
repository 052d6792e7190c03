import {
  type Data,
  type DataType,
  Dictionary,
  Field,
  Int32,
  List,
  makeData,
  Uint8,
  Uint16,
  Vector,
} from 'apache-arrow';
import type { Indices } from '../base/arrowColumns.ts';
import type { ColumnMemory } from './columnMemory.ts';
import type { ColumnShape } from './columnShape.ts';
import { valuesData, valueWidth } from './dictionaryValues.ts';
import { type PageMemory, placedBytes } from './pageMemory.ts';
import { ENCODING, PAGE, PAGE_NUMBERS, type PageTable } from './pageTable.ts';

/** The pages of a column in a PageTable, those of one row group after the other. */
export interface UnpackedColumn {
  readonly shape: ColumnShape;
  /** How many there are of each row group. */
  readonly pageCounts: Int32Array;
  readonly firstPage: number;
  /** Behind the last one. */
  readonly endPage: number;
}

/** Addresses of the pages of a column and of its chunks, as kernels/pageKernels.ts has them. */
export interface PlacedPages {
  readonly pages: number;
  readonly chunks: number;
  readonly chunkCount: number;
}

const NUMBER_BYTES = 4;

/** What a column takes while it is decoded: bytes, and numbers. */
interface ColumnSize {
  /** Rows, or values, nulls and empty lists. */
  readonly slots: number;
  /** The same of its largest page. */
  readonly pageSlots: number;
  /** Of dictionaries and of pages with values that aren't indices, nulls and levels counted as values. */
  readonly values: number;
  readonly valueBytes: number;
}

function sizeOf(
  { shape, firstPage, endPage }: UnpackedColumn,
  { numbers }: PageTable,
  rows: number,
): ColumnSize {
  let [slots, pageSlots, values, valueBytes] = [0, 0, 0, 0];
  for (let at = PAGE_NUMBERS * firstPage; at < PAGE_NUMBERS * endPage; at += PAGE_NUMBERS) {
    const count = numbers[at + PAGE.valueCount]!;
    if (count >= 0) {
      slots += count;
      pageSlots = Math.max(pageSlots, count);
      if (numbers[at + PAGE.encoding] !== ENCODING.plain) continue;
    }
    values += count >= 0 ? count : numbers[at + PAGE.dictionaryCount]!;
    valueBytes +=
      numbers[at + PAGE.isPacked] === 1
        ? numbers[at + PAGE.unpackedBytes]!
        : numbers[at + PAGE.endByte]! - numbers[at + PAGE.startByte]!;
  }
  // A value that has its length before it takes that at least, whatever a header says.
  const most = valueWidth(shape.valueType) === 0 ? Math.floor(valueBytes / NUMBER_BYTES) : values;
  return { slots: shape.isList ? slots : rows, pageSlots, values: Math.min(values, most), valueBytes };
}

/** Bytes of each array that a column is decoded to, and of what it is worked out with. */
function sizesOf(
  { slots, pageSlots, values, valueBytes }: ColumnSize,
  { isList, valueType }: ColumnShape,
  rows: number,
) {
  return {
    values: valueBytes,
    ends: valueWidth(valueType) === 0 ? NUMBER_BYTES * (values + 1) : 0,
    indices: NUMBER_BYTES * slots,
    isValid: (slots + 7) >> 3,
    levels: 3 * NUMBER_BYTES * pageSlots,
    offsets: isList ? NUMBER_BYTES * (rows + 1) : 0,
    isRowValid: isList ? (rows + 7) >> 3 : 0,
  };
}

/** What a column takes while it is decoded. */
interface ColumnWork {
  readonly size: ColumnSize;
  readonly sizes: ReturnType<typeof sizesOf>;
  /** Room in a PageMemory that `decodeColumn` needs. */
  readonly sizeBytes: number;
}

export function columnWork(column: UnpackedColumn, table: PageTable, rows: number): ColumnWork {
  const size = sizeOf(column, table, rows);
  const sizes = sizesOf(size, column.shape, rows);
  return { size, sizes, sizeBytes: Object.values(sizes).reduce((sum, bytes) => sum + placedBytes(bytes), 0) };
}

/**
 * Decodes the pages of a column, which are unpacked.
 * @param rows of all row groups
 * @param memory of the arrays of what is returned
 * @returns of type Dictionary, or List of Dictionary; undefined when the pages don't hold what they should
 */
export function decodeColumn(
  { shape }: UnpackedColumn,
  { size, sizes }: ColumnWork,
  rows: number,
  placed: PlacedPages,
  pages: PageMemory,
  memory: ColumnMemory,
): Data | undefined {
  const { isList, rowLevel, elementLevel, valueLevel } = shape;
  const { kernels } = pages;
  const values = pages.place(sizes.values);
  const ends = pages.place(sizes.ends);
  const indices = pages.place(sizes.indices);
  const isValid = pages.place(sizes.isValid);
  const levels = pages.place(sizes.levels);
  const width = valueWidth(shape.valueType);
  kernels.placeValues(width, values, values + sizes.values, ends, size.values);
  kernels.placeIndices(indices, isValid, size.slots, levels, size.pageSlots);
  const bitmap = (at: number, slots: number, nulls: number) =>
    nulls === 0 ? undefined : pages.bytes(at, (slots + 7) >> 3).slice();
  const indexed = (length: number) => {
    const found = valuesData(shape.valueType, { pages, values, ends, count: kernels.valuesFound() }, memory);
    // Where there is none, a null would have no index: arrow-rs may read it.
    if (found === undefined || (found.length === 0 && length > 0)) return undefined;
    const data = memory.takeIndices(length, found.length);
    const type = new Dictionary(shape.valueType, indexTypeOf(data));
    data.set(pages.integers(indices, length));
    const nullCount = kernels.nullsFound();
    const nullBitmap = bitmap(isValid, length, nullCount);
    return makeData({ type, length, nullCount, nullBitmap, data, dictionary: new Vector([found]) });
  };
  const { pages: at, chunks, chunkCount } = placed;
  if (!isList)
    return kernels.decodeFlat(at, chunks, chunkCount, valueLevel) === 0 ? undefined : indexed(rows);
  const offsets = pages.place(sizes.offsets);
  const isRowValid = pages.place(sizes.isRowValid);
  kernels.placeRows(offsets, isRowValid, rows);
  if (kernels.decodeLists(at, chunks, chunkCount, rowLevel, elementLevel, valueLevel) === 0) return undefined;
  const child = indexed(kernels.elementsFound());
  if (child === undefined) return undefined;
  const valueOffsets = memory.takeIntegers(rows + 1);
  valueOffsets.set(pages.integers(offsets, rows + 1));
  const element = (shape.field.type as List).children[0]!;
  const type = new List(new Field(element.name, child.type as DataType, element.nullable));
  const nullCount = kernels.nullRowsFound();
  const nullBitmap = bitmap(isRowValid, rows, nullCount);
  return makeData({ type, length: rows, nullCount, nullBitmap, valueOffsets, child });
}

/** The type of the indices in a Dictionary. */
export function indexTypeOf(indices: Indices): Int32 | Uint16 | Uint8 {
  if (indices instanceof Int32Array) return new Int32();
  return indices instanceof Uint16Array ? new Uint16() : new Uint8();
}
