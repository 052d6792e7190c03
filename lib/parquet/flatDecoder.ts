import type { Data } from 'apache-arrow';
import type { ChunkPage } from './checkPages.ts';
import type { ColumnShape } from './columnShape.ts';
import type { ValuesSize } from './dictionaryValues.ts';
import { onlyRun } from './hybridRuns.ts';
import { IndexDecoder, levelsOf, Validity } from './indexDecoder.ts';
import { decodeLevels, type PageSection, sizedLevels } from './levels.ts';
import type { ReusedMemory } from './reusedMemory.ts';

/** Levels and indices of a page with nulls; one per thread. */
let definitionScratch = new Int32Array(0);
let indexScratch = new Int32Array(0);

/** Of columns with one value, or a null, in each row. */
export class FlatDecoder extends IndexDecoder {
  readonly #indices: Int32Array;
  readonly #validity: Validity;
  #rows = 0;
  #rowEnd = 0;

  constructor(shape: ColumnShape, rows: number, size: ValuesSize, memory: ReusedMemory) {
    super(shape, size, memory);
    this.#indices = memory.takeIntegers(rows);
    this.#validity = new Validity(rows);
  }

  protected startChunk(rowCount: number): void {
    this.#rowEnd += rowCount;
  }

  protected decodePage(page: ChunkPage, body: PageSection, buffer: Uint8Array): boolean {
    const count = page.valueCount!;
    const first = this.#rows;
    if (first + count > this.#rowEnd) return false;
    this.#rows += count;
    const { valueLevel } = this.shape;
    let values = body;
    if (valueLevel > 0) {
      const definitions = page.isSecondVersion ? levelsOf(page, buffer).definitions : sizedLevels(body);
      if (definitions === undefined) return false;
      if (!page.isSecondVersion) values = { ...body, start: definitions.end };
      if (onlyRun(definitions.bytes, definitions.start, definitions.end, count) !== valueLevel) {
        return this.#decodeWithNulls(page, definitions, values, first);
      }
    }
    return this.decodeValues(values, page.encoding, count, this.#indices, first);
  }

  #decodeWithNulls(page: ChunkPage, definitions: PageSection, values: PageSection, first: number): boolean {
    const count = page.valueCount!;
    if (definitionScratch.length < count) {
      definitionScratch = new Int32Array(count);
      indexScratch = new Int32Array(count);
    }
    const defined = definitionScratch;
    const found = indexScratch;
    if (!decodeLevels(definitions, 1, defined, count)) return false;
    let valueCount = 0;
    for (let slot = 0; slot < count; slot++) valueCount += defined[slot]!;
    if (!this.decodeValues(values, page.encoding, valueCount, found, 0)) return false;
    const indices = this.#indices;
    for (let slot = 0, from = 0; slot < count; slot++) {
      if (defined[slot] === 1) indices[first + slot] = found[from++]!;
      else {
        indices[first + slot] = 0;
        this.#validity.setNull(first + slot);
      }
    }
    return true;
  }

  protected endChunk(): boolean {
    return this.#rows === this.#rowEnd;
  }

  finish(): Data | undefined {
    const { nullCount, bitmap } = this.#validity;
    return this.dictionaryData(this.#rows, this.#indices, nullCount, bitmap);
  }
}
