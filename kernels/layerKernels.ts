/*
 * Layers of few weights in WebAssembly, written in AssemblyScript: `npm run build:kernels` compiles it into
 * lib/bundle/layerKernels.ts. The order of every sum is that of lib/bundle/sparseLayers.ts, so that the bits are the same.
 *
 * Sixteen rows are computed together. Their numbers lie column by column, sixteen rows of a column beside each other, so that a weight
 * multiplies four rows at a time.
 */

const TOGETHER: usize = 16;
const COLUMN_BYTES: usize = 4 * TOGETHER;
/** Bytes of a weight and where its column begins. */
const WEIGHT_BYTES: usize = 8;

/** Four rows of four columns that begin at a place, to four columns of four rows. */
function toColumns(from: usize, rowBytes: usize, to: usize): void {
  const a = v128.load(from);
  const b = v128.load(from + rowBytes);
  const c = v128.load(from + 2 * rowBytes);
  const d = v128.load(from + 3 * rowBytes);
  const ab = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
  const cd = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
  const abEnd = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
  const cdEnd = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<f32>(ab, cd, 0, 1, 4, 5));
  v128.store(to + COLUMN_BYTES, v128.shuffle<f32>(ab, cd, 2, 3, 6, 7));
  v128.store(to + 2 * COLUMN_BYTES, v128.shuffle<f32>(abEnd, cdEnd, 0, 1, 4, 5));
  v128.store(to + 3 * COLUMN_BYTES, v128.shuffle<f32>(abEnd, cdEnd, 2, 3, 6, 7));
}

/** The first one to four floats of four. */
function storeSome(to: usize, values: v128, count: usize): void {
  if (count >= 4) {
    v128.store(to, values);
    return;
  }
  v128.store32_lane(to, values, 0);
  if (count > 1) v128.store32_lane(to, values, 1, 4);
  if (count > 2) v128.store32_lane(to, values, 2, 8);
}

/** Four columns of four rows that begin at a place, to four rows. @param count columns that are there, up to four */
function toRows(from: usize, to: usize, rowBytes: usize, count: usize): void {
  const a = v128.load(from);
  const b = v128.load(from + COLUMN_BYTES);
  const c = v128.load(from + 2 * COLUMN_BYTES);
  const d = v128.load(from + 3 * COLUMN_BYTES);
  const ab = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
  const cd = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
  const abEnd = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
  const cdEnd = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
  storeSome(to, v128.shuffle<f32>(ab, cd, 0, 1, 4, 5), count);
  storeSome(to + rowBytes, v128.shuffle<f32>(ab, cd, 2, 3, 6, 7), count);
  storeSome(to + 2 * rowBytes, v128.shuffle<f32>(abEnd, cdEnd, 0, 1, 4, 5), count);
  storeSome(to + 3 * rowBytes, v128.shuffle<f32>(abEnd, cdEnd, 2, 3, 6, 7), count);
}

/** ReLU(x W + b) of sixteen rows. @param layer its units, each a bias, a number of weights, and these */
function applyLayer(layer: usize, units: usize, from: usize, to: usize): void {
  const zero = f32x4.splat(0);
  for (const end = to + units * COLUMN_BYTES; to !== end; to += COLUMN_BYTES) {
    let a = v128.load32_splat(layer);
    let b = a;
    let c = a;
    let d = a;
    const weightsEnd = layer + 8 + WEIGHT_BYTES * load<u32>(layer, 4);
    layer += 8;
    for (; layer !== weightsEnd; layer += WEIGHT_BYTES) {
      const column = from + load<u32>(layer);
      const weight = v128.load32_splat(layer, 4);
      a = f32x4.add(a, f32x4.mul(weight, v128.load(column)));
      b = f32x4.add(b, f32x4.mul(weight, v128.load(column, 16)));
      c = f32x4.add(c, f32x4.mul(weight, v128.load(column, 32)));
      d = f32x4.add(d, f32x4.mul(weight, v128.load(column, 48)));
    }
    v128.store(to, f32x4.pmax(a, zero));
    v128.store(to, f32x4.pmax(b, zero), 16);
    v128.store(to, f32x4.pmax(c, zero), 32);
    v128.store(to, f32x4.pmax(d, zero), 48);
  }
}

/**
 * Layers behind each other, of some rows. Whole sixteens of rows are read and written.
 * @param layers places and numbers of units of each, int32
 * @param width columns of a row; up to three more are read
 * @param columns room for twice so many columns of sixteen rows as the widest layer has or reads, and three
 * @param room columns of either half of it
 */
export function layers(
  layers: usize,
  layerCount: usize,
  rows: usize,
  rowBytes: usize,
  width: usize,
  columns: usize,
  room: usize,
  target: usize,
  targetBytes: usize,
  rowCount: usize,
): void {
  const other = columns + room * COLUMN_BYTES;
  for (let row: usize = 0; row < rowCount; row += TOGETHER) {
    for (let four: usize = 0; four < TOGETHER; four += 4) {
      const from = rows + (row + four) * rowBytes;
      for (let column: usize = 0; column < width; column += 4) {
        toColumns(from + 4 * column, rowBytes, columns + column * COLUMN_BYTES + 4 * four);
      }
    }
    let from = columns;
    let to = other;
    let units: usize = 0;
    for (let layer = layers, end = layers + 8 * layerCount; layer !== end; layer += 8) {
      units = load<u32>(layer, 4);
      applyLayer(load<u32>(layer), units, from, to);
      const next = from;
      from = to;
      to = next;
    }
    for (let four: usize = 0; four < TOGETHER; four += 4) {
      const first = target + (row + four) * targetBytes;
      for (let column: usize = 0; column < units; column += 4) {
        toRows(from + column * COLUMN_BYTES + 4 * four, first + 4 * column, targetBytes, units - column);
      }
    }
  }
}
