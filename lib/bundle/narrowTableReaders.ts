import { halfValues } from './halfFloat.ts';
import type { BlockTarget, GatherStep, IdSource, ListSource, TableReader } from './tableReader.ts';

/** Columns [from, to) of rows that are `width` long, the first of them row `rowStart` of the joint matrix. */
interface Columns {
  readonly rowStart: number;
  readonly width: number;
  readonly from: number;
  readonly to: number;
}

/** Rounds to float32, so that the compiler adds in float32 rather than converting each number. */
const float32 = Math.fround;

/** Rows of half floats, looked up in a table of all of them: a third faster than shifting bits. */
export class Float16Reader implements TableReader {
  readonly #rows: Uint16Array;
  readonly #columns: Columns;

  constructor(rows: Uint16Array, columns: Columns) {
    this.#rows = rows;
    this.#columns = columns;
  }

  copier(
    { ids, width: idWidth, position }: IdSource,
    { data, width: dataWidth, at }: BlockTarget,
  ): GatherStep {
    const [rows, values] = [this.#rows, halfValues()];
    const { first, tableWidth, count } = placeOf(this.#columns);
    return (rowCount) => {
      for (let row = 0, to = at, idAt = position; row < rowCount; row++, to += dataWidth, idAt += idWidth) {
        let from = ids[idAt]! * tableWidth + first;
        for (let i = to, end = to + count; i < end; i++) data[i] = values[rows[from++]!]!;
      }
    };
  }

  pooler(source: ListSource, { data, width: dataWidth, at }: BlockTarget): GatherStep {
    const { ids, weights, width, position, length } = source;
    const [rows, values] = [this.#rows, halfValues()];
    const { first, tableWidth, count } = placeOf(this.#columns);
    const sums = new Float32Array(count);
    return (rowCount) => {
      for (let row = 0, to = at, begin = position; row < rowCount; row++, to += dataWidth, begin += width) {
        let common = 0;
        sums.fill(0);
        for (let value = begin, end = begin + length; value < end; value++) {
          const weight = weights[value]!;
          if (weight === 0) continue;
          common = weight;
          const from = ids[value]! * tableWidth + first;
          for (let i = 0; i < count; i++) sums[i] = float32(sums[i]! + values[rows[from + i]!]!);
        }
        for (let i = 0; i < count; i++) data[to + i] = common * sums[i]!;
      }
    };
  }
}

/** Rows of integers, each row with a scale of its own. */
export class Int8Reader implements TableReader {
  readonly #rows: Int8Array;
  readonly #scales: Float32Array;
  readonly #columns: Columns;

  constructor(rows: Int8Array, scales: Float32Array, columns: Columns) {
    this.#rows = rows;
    this.#scales = scales;
    this.#columns = columns;
  }

  copier(
    { ids, width: idWidth, position }: IdSource,
    { data, width: dataWidth, at }: BlockTarget,
  ): GatherStep {
    const [rows, scales] = [this.#rows, this.#scales];
    const { rowStart } = this.#columns;
    const { first, tableWidth, count } = placeOf(this.#columns);
    return (rowCount) => {
      for (let row = 0, to = at, idAt = position; row < rowCount; row++, to += dataWidth, idAt += idWidth) {
        const id = ids[idAt]!;
        const scale = scales[id - rowStart]!;
        let from = id * tableWidth + first;
        for (let i = to, end = to + count; i < end; i++) data[i] = scale * rows[from++]!;
      }
    };
  }

  pooler(source: ListSource, { data, width: dataWidth, at }: BlockTarget): GatherStep {
    const { ids, weights, width, position, length } = source;
    const [rows, scales] = [this.#rows, this.#scales];
    const { rowStart } = this.#columns;
    const { first, tableWidth, count } = placeOf(this.#columns);
    const sums = new Float32Array(count);
    return (rowCount) => {
      for (let row = 0, to = at, begin = position; row < rowCount; row++, to += dataWidth, begin += width) {
        let common = 0;
        sums.fill(0);
        for (let value = begin, end = begin + length; value < end; value++) {
          const weight = weights[value]!;
          if (weight === 0) continue;
          common = weight;
          const id = ids[value]!;
          const scale = scales[id - rowStart]!;
          const from = id * tableWidth + first;
          for (let i = 0; i < count; i++) sums[i] = float32(sums[i]! + scale * rows[from + i]!);
        }
        for (let i = 0; i < count; i++) data[to + i] = common * sums[i]!;
      }
    };
  }
}

/** `first` is where row id 0 of the joint matrix would begin in the table's memory, plus `from`. */
function placeOf({ rowStart, width, from, to }: Columns) {
  return { first: from - rowStart * width, tableWidth: width, count: to - from };
}
