import { type Data, Dictionary, Int32, makeData, Vector } from 'apache-arrow';
import type { ChunkPage } from './checkPages.ts';
import type { ColumnShape } from './columnShape.ts';
import { type DictionaryValues, dictionaryValues, type ValuesSize } from './dictionaryValues.ts';
import { decodeHybrid, viewed, WIDEST_BITS } from './hybridRuns.ts';
import { areBelow, type PageSection } from './levels.ts';
import type { ReusedMemory } from './reusedMemory.ts';

/** The pages of one row group, a dictionary first, if there is one; and what has been unpacked of each. */
export interface UnpackedChunk {
  /** Where the pages are. */
  readonly buffer: Uint8Array;
  readonly pages: readonly ChunkPage[];
  /** Those of all chunks; the first page's is at `firstBody`. */
  readonly bodies: readonly PageSection[];
  readonly firstBody: number;
}

/** Levels of the second version, which are never packed; those of the first begin the body. */
export function levelsOf({ startByte, repetitionBytes, definitionBytes }: ChunkPage, buffer: Uint8Array) {
  const bytes = viewed(buffer);
  const repetitionsEnd = startByte + repetitionBytes;
  return {
    repetitions: { bytes, start: startByte, end: repetitionsEnd },
    definitions: { bytes, start: repetitionsEnd, end: repetitionsEnd + definitionBytes },
  };
}

const PLAIN = 0;

/** Decodes the pages of a column, one after the other: what columns with and without lists have in common. */
export abstract class IndexDecoder {
  protected readonly shape: ColumnShape;
  readonly #values: DictionaryValues;
  /** Of the row group's dictionary among all values. */
  #dictionaryStart = 0;
  #dictionaryEnd = 0;

  /** @param size of dictionaries and of values that stand plainly in pages */
  constructor(shape: ColumnShape, size: ValuesSize, memory: ReusedMemory) {
    this.shape = shape;
    this.#values = dictionaryValues(shape.valueType, size, memory);
  }

  /** @returns false when its pages don't hold what they should */
  decodeChunk(chunk: UnpackedChunk, rowCount: number): boolean {
    const { buffer, pages, bodies, firstBody } = chunk;
    this.startChunk(rowCount);
    this.#dictionaryStart = this.#values.size;
    this.#dictionaryEnd = this.#values.size;
    for (let index = 0; index < pages.length; index++) {
      const page = pages[index]!;
      const body = bodies[firstBody + index]!;
      if (page.valueCount === undefined) {
        if (!this.#values.add(body, page.dictionaryCount)) return false;
        this.#dictionaryEnd = this.#values.size;
      } else if (!this.decodePage(page, body, buffer)) return false;
    }
    return this.endChunk();
  }

  protected abstract startChunk(rowCount: number): void;
  /** @param buffer with the levels, in the second version */
  protected abstract decodePage(page: ChunkPage, body: PageSection, buffer: Uint8Array): boolean;
  protected abstract endChunk(): boolean;
  abstract finish(): Data | undefined;

  /** Decodes the indices of so many values to `into` from `at` on. @returns false when they aren't there */
  protected decodeValues(
    section: PageSection,
    encoding: number,
    count: number,
    into: Int32Array,
    at: number,
  ): boolean {
    if (count === 0) return true;
    if (encoding === PLAIN) {
      const first = this.#values.size;
      if (!this.#values.add(section, count)) return false;
      for (let index = 0; index < count; index++) into[at + index] = first + index;
      return true;
    }
    const { bytes, start, end } = section;
    const bitWidth = bytes.bytes[start] ?? WIDEST_BITS + 1;
    if (start >= end || bitWidth > WIDEST_BITS) return false;
    const bits = decodeHybrid(bytes, start + 1, end, bitWidth, into, at, count);
    const dictionaryStart = this.#dictionaryStart;
    if (!areBelow(this.#dictionaryEnd - dictionaryStart, bits, into, at, count)) return false;
    if (dictionaryStart > 0) {
      for (let to = at; to < at + count; to++) into[to]! += dictionaryStart;
    }
    return true;
  }

  protected dictionaryData(
    length: number,
    indices: Int32Array,
    nullCount: number,
    nullBitmap: Uint8Array | undefined,
  ): Data<Dictionary> | undefined {
    const values = this.#values.finish();
    // Where there is none, a null would have no index: arrow-rs may read it.
    if (values === undefined || (values.length === 0 && length > 0)) return undefined;
    const type = new Dictionary(this.shape.valueType, new Int32());
    const dictionary = new Vector([values]);
    return makeData({ type, length, nullCount, nullBitmap, data: indices, dictionary });
  }
}

/** Which slots are null; none at first. */
export class Validity {
  readonly #slots: number;
  nullCount = 0;
  /** Undefined without nulls. */
  bitmap: Uint8Array | undefined;

  constructor(slots: number) {
    this.#slots = slots;
  }

  setNull(slot: number): void {
    this.bitmap ??= new Uint8Array((this.#slots + 7) >> 3).fill(255);
    this.bitmap[slot >> 3]! &= ~(1 << (slot & 7));
    this.nullCount++;
  }
}
