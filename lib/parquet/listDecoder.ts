import { type Data, type DataType, Field, List, makeData } from 'apache-arrow';
import type { ChunkPage } from './checkPages.ts';
import type { ColumnShape } from './columnShape.ts';
import type { ValuesSize } from './dictionaryValues.ts';
import { IndexDecoder, levelsOf, Validity } from './indexDecoder.ts';
import { decodeLevels, type PageSection, sizedLevels } from './levels.ts';
import type { ReusedMemory } from './reusedMemory.ts';

/** Levels and indices of a page; one per thread. */
let repetitionScratch = new Int32Array(0);
let definitionScratch = new Int32Array(0);
let indexScratch = new Int32Array(0);

/** Of columns with a list, or a null, in each row. */
export class ListDecoder extends IndexDecoder {
  readonly #offsets: Int32Array;
  readonly #rowValidity: Validity;
  readonly #indices: Int32Array;
  readonly #elementValidity: Validity;
  #rows = 0;
  #rowEnd = 0;
  #elements = 0;
  /** Behind those of the page at hand. */
  #elementEnd = 0;
  #isChunkStart = true;

  /** @param slots at least as many as there are elements */
  constructor(shape: ColumnShape, rows: number, slots: number, size: ValuesSize, memory: ReusedMemory) {
    super(shape, size, memory);
    this.#offsets = memory.takeIntegers(rows + 1);
    this.#rowValidity = new Validity(rows);
    this.#indices = memory.takeIntegers(slots);
    this.#elementValidity = new Validity(slots);
  }

  protected startChunk(rowCount: number): void {
    this.#rowEnd += rowCount;
    this.#isChunkStart = true;
  }

  protected decodePage(page: ChunkPage, body: PageSection, buffer: Uint8Array): boolean {
    const count = page.valueCount!;
    const { valueLevel } = this.shape;
    if (definitionScratch.length < count) {
      repetitionScratch = new Int32Array(count);
      definitionScratch = new Int32Array(count);
      indexScratch = new Int32Array(count);
    }
    const repeated = repetitionScratch;
    const defined = definitionScratch;
    let repetitions: PageSection | undefined;
    let definitions: PageSection | undefined;
    let values = body;
    if (page.isSecondVersion) {
      ({ repetitions, definitions } = levelsOf(page, buffer));
    } else {
      repetitions = sizedLevels(body);
      definitions = repetitions && sizedLevels({ ...body, start: repetitions.end });
      values = { ...body, start: definitions?.end ?? body.start };
    }
    if (repetitions === undefined || definitions === undefined) return false;
    if (!decodeLevels(repetitions, 1, repeated, count)) return false;
    if (!decodeLevels(definitions, valueLevel, defined, count)) return false;
    const valueCount = this.#placeRows(count);
    return valueCount >= 0 && this.#decodeElements(values, page.encoding, count, valueCount);
  }

  /** Rows begin where the repetition is 0; a page may begin within one. @returns how many values there are, -1 for too many rows */
  #placeRows(count: number): number {
    const { rowLevel, elementLevel, valueLevel } = this.shape;
    const repeated = repetitionScratch;
    const defined = definitionScratch;
    const offsets = this.#offsets;
    const rowEnd = this.#rowEnd;
    if (count > 0 && this.#isChunkStart && repeated[0] !== 0) return -1;
    if (count > 0) this.#isChunkStart = false;
    let row = this.#rows;
    let elements = this.#elements;
    let values = 0;
    // Signs in place of branches: nobody can foresee where a list ends. What is written within a list is written over.
    for (let slot = 0; slot < count; slot++) {
      const level = defined[slot]!;
      const isWithin = repeated[slot]!;
      offsets[row] = elements;
      if (level < rowLevel && isWithin === 0) this.#rowValidity.setNull(row);
      row += 1 - isWithin;
      elements += 1 + ((level - elementLevel) >> 31);
      values += 1 + ((level - valueLevel) >> 31);
    }
    if (row > rowEnd) return -1;
    this.#rows = row;
    this.#elementEnd = elements;
    return values;
  }

  #decodeElements(values: PageSection, encoding: number, count: number, valueCount: number): boolean {
    const { elementLevel, valueLevel } = this.shape;
    const defined = definitionScratch;
    const first = this.#elements;
    this.#elements = this.#elementEnd;
    if (this.#elementEnd - first === valueCount) {
      return this.decodeValues(values, encoding, valueCount, this.#indices, first);
    }
    const found = indexScratch;
    if (!this.decodeValues(values, encoding, valueCount, found, 0)) return false;
    for (let slot = 0, to = first, from = 0; slot < count; slot++) {
      const level = defined[slot]!;
      if (level === valueLevel) this.#indices[to++] = found[from++]!;
      else if (level >= elementLevel) {
        this.#indices[to] = 0;
        this.#elementValidity.setNull(to++);
      }
    }
    return true;
  }

  protected endChunk(): boolean {
    return this.#rows === this.#rowEnd;
  }

  finish(): Data | undefined {
    this.#offsets[this.#rows] = this.#elements;
    const { nullCount, bitmap } = this.#elementValidity;
    const child = this.dictionaryData(
      this.#elements,
      this.#indices.subarray(0, this.#elements),
      nullCount,
      bitmap,
    );
    if (child === undefined) return undefined;
    const element = (this.shape.field.type as List).children[0]!;
    const type = new List(new Field(element.name, child.type as DataType, element.nullable));
    return makeData({
      type,
      length: this.#rows,
      nullCount: this.#rowValidity.nullCount,
      nullBitmap: this.#rowValidity.bitmap,
      valueOffsets: this.#offsets,
      child,
    });
  }
}
