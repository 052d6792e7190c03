/** Places of a page's numbers in a PageTable, which kernels/pageKernels.ts knows too. */
export const PAGE = {
  /** The page is `buffer[startByte, endByte)` behind its header. */
  startByte: 0,
  endByte: 1,
  /** What its bytes unpack to. */
  unpackedBytes: 2,
  /** -1 for a page without values of rows, such as a dictionary. */
  valueCount: 3,
  /** Values of a dictionary. */
  dictionaryCount: 4,
  /** Of the values; -1 where the header doesn't say. */
  encoding: 5,
  /** Of the first version's levels; -1 in the second version, which has but one. */
  definitionEncoding: 6,
  repetitionEncoding: 7,
  /** Of the second version: bytes of its levels, repetitions first, before those that are packed. */
  definitionBytes: 8,
  repetitionBytes: 9,
  /** 1 or 2. */
  version: 10,
  /** 1 where its values are packed, 0 where not. */
  isPacked: 11,
  /** Once it is unpacked: the address of its values, or of the first version's levels before them; 0 before that. */
  bodyStart: 12,
  bodyEnd: 13,
  /** 1 where the second version's header says of its nulls that there are fewer than none, which arrow-rs refuses; 0 elsewhere. */
  isUncounted: 14,
} as const;

/** Encodings of values and levels by their numbers in parquet.thrift. */
export const ENCODING = { plain: 0, plainDictionary: 2, rle: 3, rleDictionary: 8 } as const;

/** Of each page. */
export const PAGE_NUMBERS = 15;

const FIRST_PAGES = 256;

/**
 * What the headers of many pages say, as int32 numbers one page behind the other: shards of few rows have pages by the hundred
 * thousand, and an object for each would be what the garbage collector has to do.
 */
export class PageTable {
  #numbers = new Int32Array(FIRST_PAGES * PAGE_NUMBERS);
  #count = 0;

  /** Pages. */
  get count(): number {
    return this.#count;
  }

  /** Of all pages and what may come. Another array once more pages have been added. */
  get numbers(): Int32Array {
    return this.#numbers;
  }

  /** Adds a page of which nothing is known. @returns where its numbers begin */
  add(): number {
    const at = this.#count++ * PAGE_NUMBERS;
    if (at === this.#numbers.length) {
      const longer = new Int32Array(2 * at);
      longer.set(this.#numbers);
      this.#numbers = longer;
    }
    const numbers = this.#numbers;
    numbers.fill(0, at, at + PAGE_NUMBERS);
    numbers[at + PAGE.valueCount] = -1;
    numbers[at + PAGE.encoding] = -1;
    numbers[at + PAGE.definitionEncoding] = -1;
    numbers[at + PAGE.repetitionEncoding] = -1;
    numbers[at + PAGE.version] = 1;
    numbers[at + PAGE.isPacked] = 1;
    return at;
  }

  /** Forgets all pages but the first ones. */
  keep(count: number): void {
    this.#count = count;
  }
}
