import {
  type BlockTarget,
  type GatherStep,
  type IdSource,
  inOrder,
  type ListSource,
  type Pass,
  passesOf,
  type TableColumns,
  type TableReader,
} from './gatherStep.ts';

/*
 * The loops are written out for up to eight columns: a loop over columns within the loop over rows takes two to three times
 * as long (docs/performance.md). Numbers are never copied in pairs as one of float64: a pair whose second number is 0 is a
 * denormal one, and where training has ONNX Runtime flush those, V8 copies 0 in place of both.
 */
export class Float32Reader implements TableReader {
  readonly #rows: Float32Array;
  readonly #columns: TableColumns;

  constructor(rows: Float32Array, columns: TableColumns) {
    this.#rows = rows;
    this.#columns = columns;
  }

  copier(source: IdSource, target: BlockTarget): GatherStep {
    const rows = this.#rows;
    const steps = passesOf(this.#columns, target.at).map(
      (pass): GatherStep =>
        (rowCount) =>
          copyColumns(rows, source, target, rowCount, pass),
    );
    return inOrder(steps);
  }

  pooler(source: ListSource, target: BlockTarget): GatherStep {
    const rows = this.#rows;
    return inOrder(
      passesOf(this.#columns, target.at).map(
        (pass) => (rowCount) => poolColumns(rows, source, target, rowCount, pass),
      ),
    );
  }
}

function copyColumns(
  rows: Float32Array,
  { ids, width, position }: IdSource,
  { data, width: dataWidth }: BlockTarget,
  rowCount: number,
  { count, first, tableWidth, at }: Pass,
): void {
  for (let row = 0, to = at, idAt = position; row < rowCount; row++, to += dataWidth, idAt += width) {
    const from = ids[idAt]! * tableWidth + first;
    data[to] = rows[from]!;
    if (count === 1) continue;
    data[to + 1] = rows[from + 1]!;
    if (count === 2) continue;
    data[to + 2] = rows[from + 2]!;
    if (count === 3) continue;
    data[to + 3] = rows[from + 3]!;
    if (count === 4) continue;
    data[to + 4] = rows[from + 4]!;
    if (count === 5) continue;
    data[to + 5] = rows[from + 5]!;
    if (count === 6) continue;
    data[to + 6] = rows[from + 6]!;
    if (count === 8) data[to + 7] = rows[from + 7]!;
  }
}

/** Rounds to float32, so that the compiler computes in float32 rather than converting each number. */
const float32 = Math.fround;

function poolColumns(
  rows: Float32Array,
  { ids, weights, width, position, length }: ListSource,
  { data, width: dataWidth }: BlockTarget,
  rowCount: number,
  { count, first, tableWidth, at }: Pass,
): void {
  for (let row = 0, to = at, begin = position; row < rowCount; row++, to += dataWidth, begin += width) {
    let [a, b, c, d] = [float32(0), float32(0), float32(0), float32(0)];
    let [e, f, g, h] = [float32(0), float32(0), float32(0), float32(0)];
    let common = 0;
    for (let value = begin, end = begin + length; value < end; value++) {
      const weight = weights[value]!;
      if (weight === 0) continue;
      common = weight;
      const from = ids[value]! * tableWidth + first;
      a = float32(a + rows[from]!);
      if (count === 1) continue;
      b = float32(b + rows[from + 1]!);
      if (count === 2) continue;
      c = float32(c + rows[from + 2]!);
      if (count === 3) continue;
      d = float32(d + rows[from + 3]!);
      if (count === 4) continue;
      e = float32(e + rows[from + 4]!);
      if (count === 5) continue;
      f = float32(f + rows[from + 5]!);
      if (count === 6) continue;
      g = float32(g + rows[from + 6]!);
      if (count === 8) h = float32(h + rows[from + 7]!);
    }
    data[to] = common * a;
    if (count > 1) data[to + 1] = common * b;
    if (count > 2) data[to + 2] = common * c;
    if (count > 3) data[to + 3] = common * d;
    if (count > 4) data[to + 4] = common * e;
    if (count > 5) data[to + 5] = common * f;
    if (count > 6) data[to + 6] = common * g;
    if (count > 7) data[to + 7] = common * h;
  }
}
