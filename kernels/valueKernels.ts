/*
 * Encoding of values in WebAssembly, written in AssemblyScript: `npm run build:kernels` compiles it into lib/features/valueKernels.ts.
 * Hashes are those of lib/features/hash64.ts and may never change; numbers have the same bits as by JavaScript's operators and by
 * V8's Math.log1p on x64. WebAssembly never fuses a product and a sum, so that they are the same on every processor.
 */

/** Where everything lies in memory, as lib/features/valueMemory.ts has it. */
const VALUES: usize = 0;
const RESULTS: usize = 32_768;
const BINS: usize = 49_152;
const ENDS: usize = 53_248;
const OFFSETS: usize = 65_536;
const TEXT: usize = 81_984;

const P1: u64 = 0x9e3779b185ebca87;
const P2: u64 = 0xc2b2ae3d27d4eb4f;
const P3: u64 = 0x165667b19e3779f9;
const P4: u64 = 0x85ebca77c2b2ae63;
const P5: u64 = 0x27d4eb2f165667c5;

function round(accumulator: u64, lane: u64): u64 {
  return rotl<u64>(accumulator + lane * P2, 31) * P1;
}

function avalanche(hash: u64): u64 {
  let mixed = (hash ^ (hash >> 33)) * P2;
  mixed = (mixed ^ (mixed >> 29)) * P3;
  return mixed ^ (mixed >> 32);
}

/**
 * Hashes so many values, as their 8 little-endian bytes, to ids from 1 on and their rows and bins.
 * @param seed of XXH64
 * @param endCount of bins: all but the last one end where int32 in ENDS say
 */
export function hashIntegers(count: usize, seed: u64, buckets: u64, rowStart: i32, endCount: usize): void {
  const seeded = seed + P5 + 8;
  for (let at: usize = 0; at < count; at++) {
    const mixed = rotl<u64>(seeded ^ round(0, load<u64>(VALUES + 8 * at)), 27) * P1 + P4;
    store<i32>(RESULTS + 4 * at, 1 + <i32>(avalanche(mixed) % buckets));
  }
  placeIds(count, rowStart, endCount);
}

/** As `hashIntegers`, of texts: that at i is of bytes [OFFSETS[i], OFFSETS[i + 1]) of TEXT. */
export function hashTexts(count: usize, seed: u64, buckets: u64, rowStart: i32, endCount: usize): void {
  let start: usize = TEXT + load<u32>(OFFSETS);
  for (let at: usize = 0; at < count; at++) {
    const end: usize = TEXT + load<u32>(OFFSETS + 4 * at, 4);
    store<i32>(RESULTS + 4 * at, 1 + <i32>(hashText(start, end, seed) % buckets));
    start = end;
  }
  placeIds(count, rowStart, endCount);
}

function hashText(start: usize, end: usize, seed: u64): u64 {
  const size = end - start;
  let at = start;
  let mixed = seed + P5;
  if (size >= 32) {
    let a = seed + P1 + P2;
    let b = seed + P2;
    let c = seed;
    let d = seed - P1;
    for (; at + 32 <= end; at += 32) {
      a = round(a, load<u64>(at));
      b = round(b, load<u64>(at, 8));
      c = round(c, load<u64>(at, 16));
      d = round(d, load<u64>(at, 24));
    }
    mixed = rotl<u64>(a, 1) + rotl<u64>(b, 7) + rotl<u64>(c, 12) + rotl<u64>(d, 18);
    mixed = (mixed ^ round(0, a)) * P1 + P4;
    mixed = (mixed ^ round(0, b)) * P1 + P4;
    mixed = (mixed ^ round(0, c)) * P1 + P4;
    mixed = (mixed ^ round(0, d)) * P1 + P4;
  }
  mixed += size;
  for (; at + 8 <= end; at += 8) mixed = rotl<u64>(mixed ^ round(0, load<u64>(at)), 27) * P1 + P4;
  if (at + 4 <= end) {
    mixed = rotl<u64>(mixed ^ (<u64>load<u32>(at) * P1), 23) * P2 + P3;
    at += 4;
  }
  for (; at < end; at++) mixed = rotl<u64>(mixed ^ (<u64>load<u8>(at) * P5), 11) * P1;
  return avalanche(mixed);
}

/** How many ends are below each of four numbers: comparing with a dozen of them takes less time than a search. */
function binsOf<T>(numbers: v128, endCount: usize): v128 {
  let bins = i32x4.splat(0);
  for (let end: usize = ENDS, last = ENDS + 4 * endCount; end !== last; end += 4) {
    const limit = v128.load_splat<u32>(end);
    // What is true is -1.
    bins = i32x4.sub(bins, v128.gt<T>(numbers, limit));
  }
  return bins;
}

function storeBins(at: usize, bins: v128): void {
  const halves = i16x8.narrow_i32x4_u(bins, bins);
  v128.store32_lane(BINS + at, i8x16.narrow_i16x8_u(halves, halves), 0);
}

/** Ids in RESULTS become rows, with the ids' bins in BINS. What lies behind them, up to a multiple of four, is overwritten. */
function placeIds(count: usize, rowStart: i32, endCount: usize): void {
  for (let at: usize = 0; at < count; at += 4) {
    const ids = v128.load(RESULTS + 4 * at);
    storeBins(at, binsOf<i32>(ids, endCount));
    v128.store(RESULTS + 4 * at, i32x4.add(ids, i32x4.splat(rowStart)));
  }
}

// Of fdlibm's s_log1p.c, as V8 has it.
const LN2_HIGH: f64 = 6.9314718036912381649e-1;
const LN2_LOW: f64 = 1.90821492927058770002e-10;
const LP1: f64 = 6.66666666666673513e-1;
const LP2: f64 = 3.999999999940941908e-1;
const LP3: f64 = 2.857142874366239149e-1;
const LP4: f64 = 2.222219843214978396e-1;
const LP5: f64 = 1.818357216161805012e-1;
const LP6: f64 = 1.531383769920937332e-1;
const LP7: f64 = 1.479819860511658591e-1;

/** A whole number below 2^51 added to the bits of this, as a float64, is the number added to it. */
const WHOLE: f64 = 6_755_399_441_055_744;

/**
 * log(1 + x) of two numbers that aren't below 0: fdlibm's way, where every branch is taken and the right result picked.
 * With u = 1 + x = 2^k (1 + f), log(u) = k ln2 + log(1 + f), and c is what u has lost of x by rounding.
 */
function log1p(x: v128): v128 {
  const one = f64x2.splat(1);
  const high = i64x2.shr_u(x, 32);
  const isSmall = i64x2.lt_s(high, i64x2.splat(0x3fda827a));
  // From 2^53 on, 1 + x is x.
  const isLarge = i64x2.ge_s(high, i64x2.splat(0x43400000));
  const sum = f64x2.add(one, x);
  let u = v128.bitselect(x, sum, isLarge);
  const rounded = v128.bitselect(
    f64x2.sub(one, f64x2.sub(u, x)),
    f64x2.sub(x, f64x2.sub(u, one)),
    f64x2.ge(u, f64x2.splat(2)),
  );
  const c = f64x2.div(v128.andnot(rounded, isLarge), u);
  const highOfU = i64x2.shr_u(u, 32);
  let k = i64x2.sub(i64x2.shr_u(highOfU, 20), i64x2.splat(1023));
  const fraction = v128.and(highOfU, i64x2.splat(0xfffff));
  // Above the square root of 2: half of it, and one more k.
  const isUpper = i64x2.ge_s(fraction, i64x2.splat(0x6a09e));
  k = i64x2.sub(k, isUpper);
  const exponent = v128.bitselect(i64x2.splat(0x3fe00000), i64x2.splat(0x3ff00000), isUpper);
  const rest = v128.bitselect(i64x2.shr_u(i64x2.sub(i64x2.splat(0x100000), fraction), 2), fraction, isUpper);
  u = v128.or(v128.and(u, i64x2.splat(0xffffffff)), i64x2.shl(v128.or(fraction, exponent), 32));
  const f = v128.bitselect(x, f64x2.sub(u, one), isSmall);
  const isNearOne = v128.andnot(i64x2.eq(rest, i64x2.splat(0)), isSmall);

  const whole = f64x2.sub(i64x2.add(k, f64x2.splat(WHOLE)), f64x2.splat(WHOLE));
  const t = f64x2.add(f64x2.mul(whole, f64x2.splat(LN2_LOW)), c);
  const hfsq = f64x2.mul(f64x2.mul(f64x2.splat(0.5), f), f);
  const s = f64x2.div(f, f64x2.add(f64x2.splat(2), f));
  const z = f64x2.mul(s, s);
  let r = f64x2.add(f64x2.splat(LP6), f64x2.mul(z, f64x2.splat(LP7)));
  r = f64x2.add(f64x2.splat(LP5), f64x2.mul(z, r));
  r = f64x2.add(f64x2.splat(LP4), f64x2.mul(z, r));
  r = f64x2.add(f64x2.splat(LP3), f64x2.mul(z, r));
  r = f64x2.add(f64x2.splat(LP2), f64x2.mul(z, r));
  r = f64x2.add(f64x2.splat(LP1), f64x2.mul(z, r));
  r = f64x2.mul(z, r);
  const product = f64x2.mul(s, f64x2.add(hfsq, r));
  const near = f64x2.mul(hfsq, f64x2.sub(one, f64x2.mul(f64x2.splat(0.66666666666666666), f)));
  const inner = v128.bitselect(f64x2.sub(near, t), f64x2.sub(hfsq, f64x2.add(product, t)), isNearOne);
  const ofLarger = f64x2.sub(f64x2.mul(whole, f64x2.splat(LN2_HIGH)), f64x2.sub(inner, f));
  const ofSmall = f64x2.sub(f, f64x2.sub(hfsq, product));
  const ofTiny = f64x2.sub(x, f64x2.mul(f64x2.mul(x, x), f64x2.splat(0.5)));
  let result = v128.bitselect(ofSmall, ofLarger, isSmall);
  result = v128.bitselect(ofTiny, result, i64x2.lt_s(high, i64x2.splat(0x3e200000)));
  // Infinity and NaN.
  return v128.bitselect(f64x2.add(x, x), result, i64x2.ge_s(high, i64x2.splat(0x7ff00000)));
}

function isFinite4(numbers: v128): v128 {
  return f32x4.eq(f32x4.sub(numbers, numbers), f32x4.splat(0));
}

/**
 * Float64 in VALUES become dense inputs, float32 in RESULTS, with their bins in BINS: 0 and the bin `endCount` + 2 for what is
 * missing, which is NaN or doesn't fit into float32 on the way. Ends of bins are float32 in ENDS.
 * @param count of numbers, one at least
 * @param isLog whether the sign stays and the rest becomes log(1 + rest)
 * @returns whether any is missing
 */
export function transformNumbers(
  count: usize,
  min: f64,
  max: f64,
  isLog: bool,
  mean: f64,
  deviation: f64,
  endCount: usize,
): bool {
  // Up to a multiple of four, what tells no more than the first of them.
  const first = load<f64>(VALUES);
  const end = (count + 3) & ~3;
  for (let at = count; at < end; at++) store<f64>(VALUES + 8 * at, first);
  const least = f64x2.splat(min);
  const most = f64x2.splat(max);
  const sign = i64x2.splat(i64.MIN_VALUE);
  for (let at: usize = 0; at < end; at += 2) {
    let value = v128.load(VALUES + 8 * at);
    value = v128.bitselect(least, value, f64x2.lt(value, least));
    value = v128.bitselect(most, value, f64x2.gt(value, most));
    if (isLog) value = v128.or(v128.and(value, sign), log1p(v128.andnot(value, sign)));
    const isHeld = isFinite4(f32x4.demote_f64x2_zero(value));
    const standard = f64x2.div(f64x2.sub(value, f64x2.splat(mean)), f64x2.splat(deviation));
    const input = f32x4.demote_f64x2_zero(standard);
    const isInput = v128.and(isHeld, isFinite4(input));
    v128.store64_lane(RESULTS + 4 * at, v128.bitselect(input, f32x4.splat(f32.NaN), isInput), 0);
  }
  const missingBin = i32x4.splat(<i32>endCount + 2);
  let missing = i32x4.splat(0);
  for (let at: usize = 0; at < end; at += 4) {
    const inputs = v128.load(RESULTS + 4 * at);
    const isMissing = f32x4.ne(inputs, inputs);
    missing = v128.or(missing, isMissing);
    storeBins(at, v128.bitselect(missingBin, binsOf<f32>(inputs, endCount), isMissing));
    v128.store(RESULTS + 4 * at, v128.andnot(inputs, isMissing));
  }
  return v128.any_true(missing);
}
