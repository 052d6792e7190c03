/*
 * Gathering in WebAssembly, written in AssemblyScript: `npm run build:kernels` compiles it into lib/bundle/gatherKernels.ts. The
 * meaning of every number is that of lib/bundle/float32Reader.ts and narrowTableReaders.ts, bit by bit: columns are summed in the
 * order of a list's values, in float32, and multiplied by the weight once.
 *
 * Four columns of a row are read at a time and become four floats. Of a block whose columns aren't a multiple of four, the last four
 * columns are taken once more with those before them; a block of fewer than four is stored column by column. Reading such a one goes
 * up to three elements beyond it: the memory has room behind its tables.
 *
 * Memory's places are unsigned numbers of 32 bits, and what is added up to them may wrap around on the way.
 */

/** Element types of tables, as lib/bundle/kernelPlan.ts numbers them; all others are floats. */
const F16: i32 = 1;
const I8: i32 = 2;

/** Nine int32 for each block and twelve for each list, in the order in which lib/bundle/kernelPlan.ts writes them. */
const BLOCK_BYTES: usize = 36;
const LIST_BYTES: usize = 48;

/** Four halves as floats, denormal ones, infinities and NaN among them. */
function halves(bits: v128): v128 {
  const sign = i32x4.shl(v128.and(bits, i32x4.splat(0x8000)), 16);
  const magnitude = i32x4.shl(v128.and(bits, i32x4.splat(0x7fff)), 13);
  const exponent = v128.and(magnitude, i32x4.splat(0x7c00 << 13));
  // The exponent's bias is 15 of a half, 127 of a float; of infinities and NaN both exponents are all ones.
  const normal = i32x4.add(magnitude, i32x4.splat((127 - 15) << 23));
  const special = i32x4.add(normal, i32x4.splat((128 - 16) << 23));
  // A denormal half is so many steps of 2^-24: 2^-14 and these steps, less 2^-14.
  const least = i32x4.splat((127 - 14) << 23);
  const denormal = f32x4.sub(i32x4.add(magnitude, least), least);
  const finite = v128.bitselect(denormal, normal, i32x4.eq(exponent, i32x4.splat(0)));
  const isSpecial = i32x4.eq(exponent, i32x4.splat(0x7c00 << 13));
  return v128.or(sign, v128.bitselect(special, finite, isSpecial));
}

/** What the integers of a row are multiplied by; nothing for other elements. */
function scaleOf<T>(scales: usize, id: usize): v128 {
  return sizeof<T>() === 1 ? f32x4.splat(load<f32>(scales + 4 * id)) : f32x4.splat(0);
}

/** Four columns that begin at a place, as floats. `T` is what the table stores: f32, u16 for halves, or i8. */
function columns<T>(at: usize, scale: v128): v128 {
  if (sizeof<T>() === 4) return v128.load(at);
  if (sizeof<T>() === 2) return halves(v128.load16x4_u(at));
  const bytes = i16x8.extend_low_i8x16_s(v128.load32_zero(at));
  return f32x4.mul(scale, f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(bytes)));
}

/** The first one, two or three floats of four. */
function storeFew(to: usize, values: v128, count: usize): void {
  if (count === 1) {
    v128.store32_lane(to, values, 0);
    return;
  }
  v128.store64_lane(to, values, 0);
  if (count === 3) v128.store32_lane(to, values, 2, 8);
}

/**
 * Copies a block of some rows, `row` the first of them in the batch. `base` is where the block would begin in a table's row with
 * id 0, and `scales` where that row's scale would lie.
 */
function copyBlock<T>(block: usize, row: usize, rowCount: usize): void {
  const idStep: usize = load<i32>(block, 4);
  const base: usize = load<i32>(block, 8);
  const rowBytes: usize = load<i32>(block, 12);
  const scales: usize = load<i32>(block, 16);
  const toStep: usize = load<i32>(block, 24);
  const count: usize = load<i32>(block, 28);
  let id = <usize>load<i32>(block) + row * idStep;
  let to: usize = load<i32>(block, 20);
  const last: usize = count - 4;
  for (const end = to + rowCount * toStep; to !== end; to += toStep, id += idStep) {
    const value: usize = load<i32>(id);
    const from: usize = base + value * rowBytes;
    const scale = scaleOf<T>(scales, value);
    if (count < 4) {
      storeFew(to, columns<T>(from, scale), count);
      continue;
    }
    for (let at: usize = 0; at < last; at += 4) {
      v128.store(to + 4 * at, columns<T>(from + at * sizeof<T>(), scale));
    }
    v128.store(to + 4 * last, columns<T>(from + last * sizeof<T>(), scale));
  }
}

/**
 * Reads of every row that a list has, as far as its first place without a value. These reads wait for nothing, so that many are under
 * way at a time; the sums behind them find what they need in the cache.
 */
function touchRows(
  ids: usize,
  toWeights: usize,
  step: usize,
  length: usize,
  base: usize,
  rowBytes: usize,
  rowCount: usize,
): void {
  for (const end = ids + rowCount * step; ids !== end; ids += step) {
    for (let id = ids, idEnd = ids + 4 * length; id !== idEnd; id += 4) {
      if (load<f32>(id + toWeights) === 0) break;
      load<i32>(base + <usize>load<i32>(id) * rowBytes);
    }
  }
}

/** The means of up to sixteen columns of a list, of some rows of the batch, as whole fours. */
function poolList<T>(list: usize, row: usize, rowCount: usize): void {
  const step: usize = load<i32>(list, 8);
  const length: usize = load<i32>(list, 12);
  const base: usize = load<i32>(list, 16);
  const rowBytes: usize = load<i32>(list, 20);
  const scales: usize = load<i32>(list, 24);
  const toStep: usize = load<i32>(list, 32);
  const count: usize = load<i32>(list, 36);
  const size = sizeof<T>();
  let ids = <usize>load<i32>(list) + row * step;
  const toWeights: usize = load<i32>(list, 4) - load<i32>(list);
  let to: usize = load<i32>(list, 28);
  if (load<i32>(list, 44)) touchRows(ids, toWeights, step, length, base, rowBytes, rowCount);
  for (const end = to + rowCount * toStep; to !== end; to += toStep, ids += step) {
    let a = f32x4.splat(0);
    let b = a;
    let c = a;
    let d = a;
    let common: f32 = 0;
    for (let id = ids, idEnd = ids + 4 * length; id !== idEnd; id += 4) {
      const weight = load<f32>(id + toWeights);
      if (weight === 0) continue;
      common = weight;
      const value: usize = load<i32>(id);
      const from: usize = base + value * rowBytes;
      const scale = scaleOf<T>(scales, value);
      a = f32x4.add(a, columns<T>(from, scale));
      if (count <= 4) continue;
      b = f32x4.add(b, columns<T>(from + 4 * size, scale));
      if (count <= 8) continue;
      c = f32x4.add(c, columns<T>(from + 8 * size, scale));
      if (count > 12) d = f32x4.add(d, columns<T>(from + 12 * size, scale));
    }
    const factor = f32x4.splat(common);
    v128.store(to, f32x4.mul(factor, a));
    if (count > 4) v128.store(to, f32x4.mul(factor, b), 16);
    if (count > 8) v128.store(to, f32x4.mul(factor, c), 32);
    if (count > 12) v128.store(to, f32x4.mul(factor, d), 48);
  }
}

/** Gathers `rowCount` rows of a batch from `row` on: lists first, whose means are then copied as other rows are. */
export function gather(
  lists: usize,
  listCount: usize,
  blocks: usize,
  blockCount: usize,
  row: usize,
  rowCount: usize,
): void {
  for (const end = lists + listCount * LIST_BYTES; lists !== end; lists += LIST_BYTES) {
    const elements = load<i32>(lists, 40);
    if (elements === F16) poolList<u16>(lists, row, rowCount);
    else if (elements === I8) poolList<i8>(lists, row, rowCount);
    else poolList<f32>(lists, row, rowCount);
  }
  for (const end = blocks + blockCount * BLOCK_BYTES; blocks !== end; blocks += BLOCK_BYTES) {
    const elements = load<i32>(blocks, 32);
    if (elements === F16) copyBlock<u16>(blocks, row, rowCount);
    else if (elements === I8) copyBlock<i8>(blocks, row, rowCount);
    else copyBlock<f32>(blocks, row, rowCount);
  }
}
