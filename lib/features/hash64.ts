/**
 * XXH64 (https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md) on 32-bit halves: BigInt arithmetic is
 * three times slower. Bucket numbers derived from it live in trained models, so these functions may never change
 * their results; test/features/hash64.test.ts holds vectors. Many values are hashed by hashValues.ts.
 *
 * A function can't return two numbers without allocating: results are left in `hash64` as [low, high], signed
 * 32-bit halves. Read both before hashing again. (Module variables instead of a typed array are slower.)
 */
export const hash64 = new Int32Array(2);

const P1_HIGH = 0x9e3779b1 | 0;
const P1_LOW = 0x85ebca87 | 0;
const P2_HIGH = 0xc2b2ae3d | 0;
const P2_LOW = 0x27d4eb4f | 0;
const P3_HIGH = 0x165667b1 | 0;
const P3_LOW = 0x9e3779f9 | 0;
const P4_HIGH = 0x85ebca77 | 0;
const P4_LOW = 0xc2b2ae63 | 0;
const P5_HIGH = 0x27d4eb2f | 0;
const P5_LOW = 0x165667c5 | 0;

const STRIPE_BYTES = 32;

/** A 64-bit seed as signed 32-bit halves. */
export interface Seed64 {
  readonly high: number;
  readonly low: number;
}

/** Splits a seed in [0, 2^53) into halves. */
export function seed64(seed: number): Seed64 {
  return { high: Math.floor(seed / 2 ** 32) | 0, low: seed | 0 };
}

/** Hashes `bytes[start..end)`; strings are hashed as their UTF-8 bytes. */
export function hashBytes(bytes: Uint8Array, start: number, end: number, seed: Seed64): void {
  const lengthBytes = end - start;
  let at = start;
  if (lengthBytes >= STRIPE_BYTES) at = consumeStripes(bytes, start, end, seed);
  else addInto(seed.high, seed.low, P5_HIGH, P5_LOW);
  addInto(hash64[1]!, hash64[0]!, 0, lengthBytes);
  for (; at + 8 <= end; at += 8) {
    consumeLane(hash64[1]!, hash64[0]!, readInt32(bytes, at + 4), readInt32(bytes, at));
  }
  if (at + 4 <= end) {
    consumeSmall(readInt32(bytes, at), P1_HIGH, P1_LOW, 23, P2_HIGH, P2_LOW);
    addInto(hash64[1]!, hash64[0]!, P3_HIGH, P3_LOW);
    at += 4;
  }
  for (; at < end; at++) consumeSmall(bytes[at]!, P5_HIGH, P5_LOW, 11, P1_HIGH, P1_LOW);
  avalanche(hash64[1]!, hash64[0]!);
}

/**
 * The last hash modulo `buckets` (1 to 2^30), exact for the unsigned 64-bit value.
 * @param inverse 1 / buckets, given so that a loop divides once
 */
export function hashBucket(buckets: number, inverse: number): number {
  const low = hash64[0]!;
  const upper48 = remainder(hash64[1]! >>> 0, buckets, inverse) * 65536 + (low >>> 16);
  return remainder(remainder(upper48, buckets, inverse) * 65536 + (low & 0xffff), buckets, inverse);
}

/**
 * value % buckets for whole values below 2^46. The product is off by less than 2^-52 of itself, and a whole number plus
 * less than one bucket is at least 2^-46 of itself away from the next: so the quotient is never too large, and too small
 * by one at most.
 */
function remainder(value: number, buckets: number, inverse: number): number {
  const rest = value - Math.floor(value * inverse) * buckets;
  return rest >= buckets ? rest - buckets : rest;
}

/** hash64 = rotl(accumulator + lane * P2, 31) * P1: "round" of the specification, step 2. */
function round(accHigh: number, accLow: number, laneHigh: number, laneLow: number): void {
  const scaledLow = Math.imul(laneLow, P2_LOW);
  const scaledHigh = productHigh(laneHigh, laneLow, P2_HIGH, P2_LOW);
  const sumLow = (accLow + scaledLow) | 0;
  const high = sumHigh(accHigh, accLow, scaledHigh, scaledLow);
  rotateAndMultiply(high, sumLow, 31, P1_HIGH, P1_LOW);
}

/** hash64 = rotl(accumulator ^ round(0, lane), 27) * P1 + P4: 8 bytes of step 5. */
function consumeLane(accHigh: number, accLow: number, laneHigh: number, laneLow: number): void {
  round(0, 0, laneHigh, laneLow);
  rotateAndMultiply(accHigh ^ hash64[1]!, accLow ^ hash64[0]!, 27, P1_HIGH, P1_LOW);
  addInto(hash64[1]!, hash64[0]!, P4_HIGH, P4_LOW);
}

/** hash64 = rotl(hash64 ^ (value * factor), bits) * scale: 1 or 4 bytes of step 5. */
function consumeSmall(
  value: number,
  factorHigh: number,
  factorLow: number,
  bits: number,
  scaleHigh: number,
  scaleLow: number,
): void {
  const low = hash64[0]! ^ Math.imul(value, factorLow);
  const high = hash64[1]! ^ productHigh(0, value, factorHigh, factorLow);
  rotateAndMultiply(high, low, bits, scaleHigh, scaleLow);
}

/** Step 6. */
function avalanche(accHigh: number, accLow: number): void {
  let low = accLow ^ (accHigh >>> 1); // h ^= h >>> 33
  let high = productHigh(accHigh, low, P2_HIGH, P2_LOW);
  low = Math.imul(low, P2_LOW);
  low ^= (low >>> 29) | (high << 3); // h ^= h >>> 29
  high ^= high >>> 29;
  high = productHigh(high, low, P3_HIGH, P3_LOW);
  hash64[0] = Math.imul(low, P3_LOW) ^ high; // h ^= h >>> 32
  hash64[1] = high;
}

const laneHighs = new Int32Array(4);
const laneLows = new Int32Array(4);

/** Steps 1 to 3: consumes whole 32-byte stripes and returns where the tail starts. */
function consumeStripes(bytes: Uint8Array, start: number, end: number, seed: Seed64): number {
  startLanes(seed);
  let at = start;
  for (; at + STRIPE_BYTES <= end; at += STRIPE_BYTES) {
    for (let lane = 0; lane < 4; lane++) {
      const from = at + 8 * lane;
      round(laneHighs[lane]!, laneLows[lane]!, readInt32(bytes, from + 4), readInt32(bytes, from));
      keepLane(lane);
    }
  }
  mergeLanes();
  return at;
}

/** The lanes start at seed + P1 + P2, seed + P2, seed and seed - P1. */
function startLanes(seed: Seed64): void {
  addInto(seed.high, seed.low, 0, 0);
  keepLane(2);
  addInto(seed.high, seed.low, P2_HIGH, P2_LOW);
  keepLane(1);
  addInto(hash64[1]!, hash64[0]!, P1_HIGH, P1_LOW);
  keepLane(0);
  addInto(~P1_HIGH, ~P1_LOW, 0, 1);
  addInto(hash64[1]!, hash64[0]!, seed.high, seed.low);
  keepLane(3);
}

function keepLane(lane: number): void {
  laneLows[lane] = hash64[0]!;
  laneHighs[lane] = hash64[1]!;
}

const MERGE_ROTATIONS = [1, 7, 12, 18] as const;

function mergeLanes(): void {
  let high = 0;
  let low = 0;
  for (let lane = 0; lane < 4; lane++) {
    const bits = MERGE_ROTATIONS[lane]!;
    const laneHigh = rotatedWord(laneHighs[lane]!, laneLows[lane]!, bits);
    const laneLow = rotatedWord(laneLows[lane]!, laneHighs[lane]!, bits);
    high = sumHigh(high, low, laneHigh, laneLow);
    low = (low + laneLow) | 0;
  }
  for (let lane = 0; lane < 4; lane++) {
    round(0, 0, laneHighs[lane]!, laneLows[lane]!);
    rotateAndMultiply(high ^ hash64[1]!, low ^ hash64[0]!, 0, P1_HIGH, P1_LOW);
    addInto(hash64[1]!, hash64[0]!, P4_HIGH, P4_LOW);
    low = hash64[0]!;
    high = hash64[1]!;
  }
}

/** hash64 = a + b. */
function addInto(aHigh: number, aLow: number, bHigh: number, bLow: number): void {
  hash64[0] = aLow + bLow;
  hash64[1] = sumHigh(aHigh, aLow, bHigh, bLow);
}

/** hash64 = rotl(value, bits) * factor. */
function rotateAndMultiply(
  valueHigh: number,
  valueLow: number,
  bits: number,
  factorHigh: number,
  factorLow: number,
): void {
  const high = rotatedWord(valueHigh, valueLow, bits);
  const low = rotatedWord(valueLow, valueHigh, bits);
  hash64[0] = Math.imul(low, factorLow);
  hash64[1] = productHigh(high, low, factorHigh, factorLow);
}

/** One word of a pair rotated left by 0 to 31 bits; `other` is the word whose top bits move in. */
function rotatedWord(word: number, other: number, bits: number): number {
  // Two shifts: a single one by 32 would shift by 0.
  return (word << bits) | ((other >>> 1) >>> (31 - bits));
}

/** Upper word of a + b. */
function sumHigh(aHigh: number, aLow: number, bHigh: number, bLow: number): number {
  const carry = (aLow + bLow) >>> 0 < aLow >>> 0 ? 1 : 0;
  return (aHigh + bHigh + carry) | 0;
}

/** Upper word of a * b modulo 2^64, by 16-bit halves of the low words; no sum here passes 2^32 - 1. */
function productHigh(aHigh: number, aLow: number, bHigh: number, bLow: number): number {
  const a0 = aLow & 0xffff;
  const a1 = aLow >>> 16;
  const b0 = bLow & 0xffff;
  const b1 = bLow >>> 16;
  const middle = (Math.imul(a1, b0) + (Math.imul(a0, b0) >>> 16)) | 0;
  const middle2 = (Math.imul(a0, b1) + (middle & 0xffff)) | 0;
  const lowProductHigh = (Math.imul(a1, b1) + (middle >>> 16) + (middle2 >>> 16)) | 0;
  return (lowProductHigh + Math.imul(aLow, bHigh) + Math.imul(aHigh, bLow)) | 0;
}

function readInt32(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}
