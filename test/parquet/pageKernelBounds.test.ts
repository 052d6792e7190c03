import { describe, expect, test } from 'vitest';
import { PageMemory } from '../../lib/parquet/pageMemory.ts';
import { PAGE, PAGE_NUMBERS, PageTable } from '../../lib/parquet/pageTable.ts';

/** Beside everything that kernels may write. */
const CANARY = 0x5a5a5a5a;
const CANARIES = 8;

interface Page {
  readonly body: readonly number[];
  readonly valueCount: number;
  readonly dictionaryCount?: number;
  /** 0 for plain values, 8 for indices. */
  readonly encoding: number;
}

interface Column {
  readonly rows: number;
  /** Of the arrays that are written. */
  readonly slots: number;
  readonly values: number;
  readonly valueBytes: number;
  readonly pages: readonly Page[];
  /** Levels of a list's rows, elements and values; a flat column has but the last. */
  readonly levels: readonly number[];
}

const int32 = (...values: number[]) => [...new Uint8Array(Int32Array.from(values).buffer)];
/** Levels of the first version: a run of the same level, behind its size. */
const levels = (level: number, count: number) => [...int32(2), count << 1, level];
const dictionaryOf = (...values: number[]): Page => ({
  ...{ body: int32(...values), valueCount: -1, dictionaryCount: values.length, encoding: 0 },
});

/** Decodes a column of int32 of one row group. @returns whether it could be, and whether anything beside it was written */
function decode({ rows, slots, values, valueBytes, pages: ofColumn, levels: ofShape }: Column) {
  const file = ofColumn.flatMap(({ body }) => body);
  const table = new PageTable();
  let start = 0;
  for (const { body, valueCount, dictionaryCount = 0, encoding } of ofColumn) {
    const at = table.add();
    const { numbers } = table;
    numbers[at + PAGE.startByte] = start;
    start += body.length;
    numbers[at + PAGE.endByte] = start;
    numbers[at + PAGE.unpackedBytes] = body.length;
    numbers[at + PAGE.valueCount] = valueCount;
    numbers[at + PAGE.dictionaryCount] = dictionaryCount;
    numbers[at + PAGE.encoding] = encoding;
    numbers[at + PAGE.isPacked] = 0;
  }
  const numbers = table.numbers.subarray(0, PAGE_NUMBERS * table.count);
  const pageSlots = Math.max(0, ...ofColumn.map(({ valueCount }) => valueCount));
  return PageMemory.use(64 * 1024, (pages) => {
    const canaries: number[] = [];
    const place = (sizeBytes: number) => {
      const at = pages.place(sizeBytes + (-sizeBytes & 3) + 4 * CANARIES);
      canaries.push(at + sizeBytes + (-sizeBytes & 3));
      return at;
    };
    const placed = {
      ...{ file: place(file.length), numbers: place(numbers.byteLength), chunks: place(16) },
      ...{ values: place(values * valueBytes), ends: place(4 * (values + 1)) },
      ...{ indices: place(4 * slots), isValid: place((slots + 7) >> 3), scratch: place(12 * pageSlots) },
      ...{ offsets: place(4 * (rows + 1)), isRowValid: place((rows + 7) >> 3) },
    };
    for (const at of canaries) pages.integers(at, CANARIES).fill(CANARY);
    pages.bytes(placed.file, file.length).set(file);
    pages.integers(placed.numbers, numbers.length).set(numbers);
    pages.integers(placed.chunks, 4).set([placed.file, table.count, rows, 0]);
    const { kernels } = pages;
    kernels.unpackBodies(placed.numbers, table.count, placed.chunks, 0);
    const valuesEnd = placed.values + values * valueBytes;
    kernels.placeValues(valueBytes === 4 ? 4 : 0, placed.values, valuesEnd, placed.ends, values);
    kernels.placeIndices(placed.indices, placed.isValid, slots, placed.scratch, pageSlots);
    kernels.placeRows(placed.offsets, placed.isRowValid, rows);
    const [rowLevel = 0, elementLevel = 0, valueLevel = 0] = ofShape;
    const done =
      ofShape.length === 1
        ? kernels.decodeFlat(placed.numbers, placed.chunks, 1, rowLevel)
        : kernels.decodeLists(placed.numbers, placed.chunks, 1, rowLevel, elementLevel, valueLevel);
    const isUntouched = canaries.every((at) =>
      pages.integers(at, CANARIES).every((number) => number === CANARY),
    );
    return { isDone: done === 1, isUntouched, indices: [...pages.integers(placed.indices, slots)] };
  });
}

const FLAT = { rows: 4, slots: 4, values: 4, valueBytes: 4, levels: [0] };
const LIST = { rows: 2, slots: 4, values: 4, valueBytes: 4, levels: [0, 1, 1] };
/** Repetitions of two lists of two, and so many definitions of 1. */
const listLevels = (count: number, repeated: number) => [...int32(2), 3, repeated, ...levels(1, count)];
/** A dictionary's index in one bit, four times. */
const indicesOf = (packed: number) => [1, 3, packed];
const dictionary = dictionaryOf(7, 8);

describe('what a page says that its column has no room for', () => {
  test('is read where there is room', () => {
    const flat = { ...FLAT, pages: [dictionary, { body: indicesOf(0b0110), valueCount: 4, encoding: 8 }] };
    expect(decode(flat)).toEqual({ isDone: true, isUntouched: true, indices: [0, 1, 1, 0] });
    const body = [...listLevels(4, 0b1010), ...indicesOf(0b0110)];
    const list = { ...LIST, pages: [dictionary, { body, valueCount: 4, encoding: 8 }] };
    expect(decode(list)).toEqual({ isDone: true, isUntouched: true, indices: [0, 1, 1, 0] });
  });

  test.each<[string, Column]>([
    [
      'more values than the row group has rows',
      { ...FLAT, pages: [dictionary, { body: [1, 5, 0b10101010, 0], valueCount: 9, encoding: 8 }] },
    ],
    [
      'fewer values than the row group has rows',
      { ...FLAT, pages: [dictionary, { body: indicesOf(0), valueCount: 3, encoding: 8 }] },
    ],
    [
      'more lists than the row group has rows',
      {
        ...LIST,
        slots: 40,
        pages: [
          dictionary,
          {
            body: [...int32(2), 40 << 1, 0, ...levels(1, 40), 1, 40 << 1, 0],
            valueCount: 40,
            encoding: 8,
          },
        ],
      },
    ],
    [
      'nothing of the first list',
      {
        ...LIST,
        pages: [
          dictionary,
          { body: [...listLevels(4, 0b1001), ...indicesOf(0)], valueCount: 4, encoding: 8 },
        ],
      },
    ],
    [
      'more plain values than it holds',
      { ...FLAT, pages: [{ body: int32(1, 2, 3), valueCount: 4, encoding: 0 }] },
    ],
    ['more dictionary values than there is room for', { ...FLAT, pages: [dictionaryOf(1, 2, 3, 4, 5)] }],
    [
      'a text that ends beyond it',
      { ...FLAT, valueBytes: 5, pages: [{ body: [...int32(30_000), 65], valueCount: 4, encoding: 0 }] },
    ],
    [
      'a text of 4 GiB',
      { ...FLAT, valueBytes: 5, pages: [{ body: [...int32(-1), 65], valueCount: 4, encoding: 0 }] },
    ],
    [
      'an index beyond the dictionary',
      { ...FLAT, pages: [dictionary, { body: [2, 3, 0b11_00_01, 0], valueCount: 4, encoding: 8 }] },
    ],
    [
      'an index in more bits than four bytes hold wherever they begin',
      { ...FLAT, pages: [dictionary, { body: [26, 8, 0, 0, 0, 0], valueCount: 4, encoding: 8 }] },
    ],
    [
      'levels that end beyond it',
      { ...FLAT, levels: [1], pages: [dictionary, { body: int32(30_000), valueCount: 4, encoding: 8 }] },
    ],
    [
      'levels that go on in the next page',
      {
        ...{ ...FLAT, levels: [1] },
        pages: [
          dictionary,
          { body: int32(2), valueCount: 4, encoding: 8 },
          { body: [4 << 1, 0], valueCount: -1, encoding: 0 },
        ],
      },
    ],
    [
      'levels of 4 GiB',
      {
        ...FLAT,
        levels: [1],
        pages: [dictionary, { body: [...int32(-1), 8, 1], valueCount: 4, encoding: 8 }],
      },
    ],
  ])('is refused: %s; nothing is written beside its memory', (_, column) => {
    const { isDone, isUntouched } = decode(column);
    expect({ isDone, isUntouched }).toEqual({ isDone: false, isUntouched: true });
  });
});
