import type { EmbeddingTable } from './embeddingTable.ts';

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
  return new Float32Reader(table, from, to);
}

class Float32Reader implements TableReader {
  readonly #rows: Float32Array;
  readonly #rowStart: number;
  readonly #tableWidth: number;
  readonly #from: number;
  readonly #width: number;
  /** Sums of one list. */
  readonly #sums: Float64Array;

  constructor({ rows, rowStart, width }: EmbeddingTable, from: number, to: number) {
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
