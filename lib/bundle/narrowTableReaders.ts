import type { BlockTarget, GatherStep, IdSource, ListSource, TableReader } from './gatherStep.ts';
import { halfValues } from './halfFloat.ts';

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
export class Float16Reader implements TableReader {
  readonly #rows: Uint16Array;
  readonly #place: Place;
  readonly #sums: Float64Array;
  readonly #values = halfValues();

  constructor(rows: Uint16Array, place: Place) {
    this.#rows = rows;
    this.#place = place;
    this.#sums = new Float64Array(place.count);
  }

  copier(source: IdSource, target: BlockTarget): GatherStep {
    return (rowCount) => this.#copy(source, target, rowCount);
  }

  pooler(source: ListSource, target: BlockTarget): GatherStep {
    return (rowCount) => this.#pool(source, target, rowCount);
  }

  #copy({ ids, width, position }: IdSource, { data, width: targetWidth, at }: BlockTarget, rowCount: number) {
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

  #pool(
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
export class Int8Reader implements TableReader {
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

  copier(source: IdSource, target: BlockTarget): GatherStep {
    return (rowCount) => this.#copy(source, target, rowCount);
  }

  pooler(source: ListSource, target: BlockTarget): GatherStep {
    return (rowCount) => this.#pool(source, target, rowCount);
  }

  #copy({ ids, width, position }: IdSource, { data, width: targetWidth, at }: BlockTarget, rowCount: number) {
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

  #pool(
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
