import type { EmbeddingTable } from './embeddingTable.ts';
import { halfValues } from './halfFloat.ts';

/** Joint row ids of one field: those of row r at r * width + position. */
export interface IdSource {
  readonly ids: Int32Array;
  readonly width: number;
  readonly position: number;
}

/** Ids and weights of a list's values; a weight of 0 is a position without a value. */
export interface ListSource extends IdSource {
  readonly weights: Float32Array;
  readonly length: number;
}

/** Where a block goes: row r at r * width + at. */
export interface BlockTarget {
  readonly data: Float32Array;
  readonly width: number;
  readonly at: number;
}

/** Reads columns [from, to) of a table's rows as float32. One class for each way in which tables are stored. */
export interface TableReader {
  /** The row of each id. */
  copy(source: IdSource, target: BlockTarget, rowCount: number): void;
  /** Per list, the sum of its rows with their weights, in the order of its values; zeros for a list without one. */
  pool(source: ListSource, target: BlockTarget, rowCount: number): void;
}

export function tableReader(table: EmbeddingTable, from: number, to: number): TableReader {
  const { rows, scales, rowStart, width } = table;
  const place = { rowStart, tableWidth: width, first: from, count: to - from };
  if (rows instanceof Uint16Array) return new Float16Reader(rows, place);
  if (rows instanceof Int8Array) return new Int8Reader(rows, scales!, place);
  return new Float32Reader({ rows, rowStart, width }, from, to);
}

class Float32Reader implements TableReader {
  readonly #rows: Float32Array;
  readonly #rowStart: number;
  readonly #tableWidth: number;
  readonly #from: number;
  readonly #width: number;
  /** Sums of one list. */
  readonly #sums: Float64Array;

  constructor(
    { rows, rowStart, width }: Pick<EmbeddingTable, 'rowStart' | 'width'> & { readonly rows: Float32Array },
    from: number,
    to: number,
  ) {
    this.#rows = rows;
    this.#rowStart = rowStart;
    this.#tableWidth = width;
    this.#from = from;
    this.#width = to - from;
    this.#sums = new Float64Array(to - from);
  }

  copy({ ids, width, position }: IdSource, { data, width: targetWidth, at }: BlockTarget, rowCount: number) {
    const rows = this.#rows;
    const [rowStart, tableWidth, first, count] = [this.#rowStart, this.#tableWidth, this.#from, this.#width];
    let to = at;
    let idAt = position;
    for (let row = 0; row < rowCount; row++) {
      let from = (ids[idAt]! - rowStart) * tableWidth + first;
      const end = to + count;
      for (let i = to; i < end; i++) data[i] = rows[from++]!;
      to += targetWidth;
      idAt += width;
    }
  }

  pool(
    { ids, weights, width, position, length }: ListSource,
    { data, width: targetWidth, at }: BlockTarget,
    rowCount: number,
  ) {
    const rows = this.#rows;
    const sums = this.#sums;
    const [rowStart, tableWidth, first, count] = [this.#rowStart, this.#tableWidth, this.#from, this.#width];
    for (let row = 0; row < rowCount; row++) {
      sums.fill(0);
      const begin = row * width + position;
      for (let value = begin; value < begin + length; value++) {
        const weight = weights[value]!;
        if (weight === 0) continue;
        const from = (ids[value]! - rowStart) * tableWidth + first;
        for (let i = 0; i < count; i++) sums[i]! += weight * rows[from + i]!;
      }
      const to = row * targetWidth + at;
      for (let i = 0; i < count; i++) data[to + i] = sums[i]!;
    }
  }
}

/** Where a reader finds the columns of its block: those from `first` of rows that are `tableWidth` long. */
interface Place {
  readonly rowStart: number;
  readonly tableWidth: number;
  readonly first: number;
  readonly count: number;
}

/*
 * The loops are those of Float32Reader with another element: shared, they would meet several kinds of arrays, and the compiler
 * would no longer know which.
 */

/** Rows of half floats, looked up in a table of all of them: faster than shifting bits. */
class Float16Reader implements TableReader {
  readonly #rows: Uint16Array;
  readonly #place: Place;
  readonly #sums: Float64Array;
  readonly #values = halfValues();

  constructor(rows: Uint16Array, place: Place) {
    this.#rows = rows;
    this.#place = place;
    this.#sums = new Float64Array(place.count);
  }

  copy({ ids, width, position }: IdSource, { data, width: targetWidth, at }: BlockTarget, rowCount: number) {
    const [rows, values] = [this.#rows, this.#values];
    const { rowStart, tableWidth, first, count } = this.#place;
    let to = at;
    let idAt = position;
    for (let row = 0; row < rowCount; row++) {
      let from = (ids[idAt]! - rowStart) * tableWidth + first;
      const end = to + count;
      for (let i = to; i < end; i++) data[i] = values[rows[from++]!]!;
      to += targetWidth;
      idAt += width;
    }
  }

  pool(
    { ids, weights, width, position, length }: ListSource,
    { data, width: targetWidth, at }: BlockTarget,
    rowCount: number,
  ) {
    const [rows, values, sums] = [this.#rows, this.#values, this.#sums];
    const { rowStart, tableWidth, first, count } = this.#place;
    for (let row = 0; row < rowCount; row++) {
      sums.fill(0);
      const begin = row * width + position;
      for (let value = begin; value < begin + length; value++) {
        const weight = weights[value]!;
        if (weight === 0) continue;
        const from = (ids[value]! - rowStart) * tableWidth + first;
        for (let i = 0; i < count; i++) sums[i]! += weight * values[rows[from + i]!]!;
      }
      const to = row * targetWidth + at;
      for (let i = 0; i < count; i++) data[to + i] = sums[i]!;
    }
  }
}

/** Rows of integers, each row with a scale of its own. */
class Int8Reader implements TableReader {
  readonly #rows: Int8Array;
  readonly #scales: Float32Array;
  readonly #place: Place;
  readonly #sums: Float64Array;

  constructor(rows: Int8Array, scales: Float32Array, place: Place) {
    this.#rows = rows;
    this.#scales = scales;
    this.#place = place;
    this.#sums = new Float64Array(place.count);
  }

  copy({ ids, width, position }: IdSource, { data, width: targetWidth, at }: BlockTarget, rowCount: number) {
    const [rows, scales] = [this.#rows, this.#scales];
    const { rowStart, tableWidth, first, count } = this.#place;
    let to = at;
    let idAt = position;
    for (let row = 0; row < rowCount; row++) {
      const id = ids[idAt]! - rowStart;
      const scale = scales[id]!;
      let from = id * tableWidth + first;
      const end = to + count;
      for (let i = to; i < end; i++) data[i] = scale * rows[from++]!;
      to += targetWidth;
      idAt += width;
    }
  }

  pool(
    { ids, weights, width, position, length }: ListSource,
    { data, width: targetWidth, at }: BlockTarget,
    rowCount: number,
  ) {
    const [rows, scales, sums] = [this.#rows, this.#scales, this.#sums];
    const { rowStart, tableWidth, first, count } = this.#place;
    for (let row = 0; row < rowCount; row++) {
      sums.fill(0);
      const begin = row * width + position;
      for (let value = begin; value < begin + length; value++) {
        const weight = weights[value]!;
        if (weight === 0) continue;
        const id = ids[value]! - rowStart;
        const factor = weight * scales[id]!;
        const from = id * tableWidth + first;
        for (let i = 0; i < count; i++) sums[i]! += factor * rows[from + i]!;
      }
      const to = row * targetWidth + at;
      for (let i = 0; i < count; i++) data[to + i] = sums[i]!;
    }
  }
}
