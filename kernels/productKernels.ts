/*
 * Dot products of gathered embeddings in WebAssembly, written in AssemblyScript: `npm run build:kernels` compiles it into
 * lib/bundle/productKernels.ts. The order of every sum is that of lib/bundle/embeddingProducts.ts, so that the bits are the same.
 */

/** Pairs whose products are computed together. */
const TOGETHER: usize = 4;
/** Bytes of the places of a pair: two int32. */
const PAIR_BYTES: usize = 8;
/** Rows that are gone through for one four of pairs before the next: they stay in the processor's first cache. */
const NEAR_ROWS: usize = 16;

/** Columns of an embedding that begin at a place, zeros beyond the last one. */
function masked(product: v128, left: usize): v128 {
  const lanes = i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(<i32>left));
  return v128.and(product, lanes);
}

/** Sums of pairs of neighbouring lanes: those of a, then those of b. */
function addNeighbours(a: v128, b: v128): v128 {
  return f32x4.add(v128.shuffle<f32>(a, b, 0, 2, 4, 6), v128.shuffle<f32>(a, b, 1, 3, 5, 7));
}

/**
 * Dot products of some rows.
 * @param pairs bytes from the beginning of a row to both embeddings of each pair, whole fours of them: the last one is repeated
 * @param pairCount those that are stored
 * @param width columns of an embedding; up to three elements beyond its last one are read
 */
export function products(
  pairs: usize,
  pairCount: usize,
  width: usize,
  rows: usize,
  rowBytes: usize,
  to: usize,
  toStep: usize,
  rowCount: usize,
): void {
  const whole = width & ~3;
  for (let first: usize = 0; first < rowCount; first += NEAR_ROWS) {
    const start = rows + first * rowBytes;
    const end = start + min(NEAR_ROWS, rowCount - first) * rowBytes;
    let pair = pairs;
    for (let done: usize = 0; done < pairCount; done += TOGETHER) {
      const left0 = load<u32>(pair, 0);
      const right0 = load<u32>(pair, 4);
      const left1 = load<u32>(pair, 8);
      const right1 = load<u32>(pair, 12);
      const left2 = load<u32>(pair, 16);
      const right2 = load<u32>(pair, 20);
      const left3 = load<u32>(pair, 24);
      const right3 = load<u32>(pair, 28);
      const isShared = left0 === left1 && left0 === left2 && left0 === left3;
      pair += TOGETHER * PAIR_BYTES;
      let target = to + first * toStep + 4 * done;
      const stored = min(TOGETHER, pairCount - done);
      for (let row = start; row !== end; row += rowBytes, target += toStep) {
        let a = f32x4.splat(0);
        let b = a;
        let c = a;
        let d = a;
        let at = row;
        if (isShared) {
          for (const wholeEnd = row + 4 * whole; at !== wholeEnd; at += 16) {
            const left = v128.load(at + left0);
            a = f32x4.add(a, f32x4.mul(left, v128.load(at + right0)));
            b = f32x4.add(b, f32x4.mul(left, v128.load(at + right1)));
            c = f32x4.add(c, f32x4.mul(left, v128.load(at + right2)));
            d = f32x4.add(d, f32x4.mul(left, v128.load(at + right3)));
          }
        } else {
          for (const wholeEnd = row + 4 * whole; at !== wholeEnd; at += 16) {
            a = f32x4.add(a, f32x4.mul(v128.load(at + left0), v128.load(at + right0)));
            b = f32x4.add(b, f32x4.mul(v128.load(at + left1), v128.load(at + right1)));
            c = f32x4.add(c, f32x4.mul(v128.load(at + left2), v128.load(at + right2)));
            d = f32x4.add(d, f32x4.mul(v128.load(at + left3), v128.load(at + right3)));
          }
        }
        if (whole !== width) {
          const rest = width - whole;
          a = f32x4.add(a, masked(f32x4.mul(v128.load(at + left0), v128.load(at + right0)), rest));
          b = f32x4.add(b, masked(f32x4.mul(v128.load(at + left1), v128.load(at + right1)), rest));
          c = f32x4.add(c, masked(f32x4.mul(v128.load(at + left2), v128.load(at + right2)), rest));
          d = f32x4.add(d, masked(f32x4.mul(v128.load(at + left3), v128.load(at + right3)), rest));
        }
        const sums = addNeighbours(addNeighbours(a, b), addNeighbours(c, d));
        if (stored === TOGETHER) v128.store(target, sums);
        else {
          v128.store32_lane(target, sums, 0);
          if (stored > 1) v128.store32_lane(target, sums, 1, 4);
          if (stored > 2) v128.store32_lane(target, sums, 2, 8);
        }
      }
    }
  }
}
