/**
 * XXH64 (https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md) on 32-bit halves, since BigInt
 * arithmetic is some twenty times slower in the encoder's inner loop. Bucket numbers derived from it live in
 * trained models, so these functions may never change their results; test/features/hash64.test.ts holds vectors.
 *
 * The result of the last call is in `hash64.high` and `hash64.low` (signed 32-bit halves): returning an object
 * per value would cost more than the hash. Copy both before hashing again.
 */
export const hash64 = { high: 0, low: 0 };

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

// Two registers hold the running 64-bit value; V8 keeps them unboxed.
let high = 0;
let low = 0;

function multiply(bHigh: number, bLow: number): void {
  const a0 = low & 0xffff;
  const a1 = low >>> 16;
  const b0 = bLow & 0xffff;
  const b1 = bLow >>> 16;
  const p00 = a0 * b0;
  // Neither sum can pass 2^32 - 1: 65535 * 65535 + 65535 = 65535 * 65536.
  const mid = a0 * b1 + (p00 >>> 16);
  const mid2 = a1 * b0 + (mid & 0xffff);
  const carry = a1 * b1 + (mid >>> 16) + (mid2 >>> 16);
  high = (carry + Math.imul(low, bHigh) + Math.imul(high, bLow)) | 0;
  low = ((mid2 & 0xffff) << 16) | (p00 & 0xffff);
}

function add(bHigh: number, bLow: number): void {
  const sum = (low >>> 0) + (bLow >>> 0);
  high = (high + bHigh + (sum > 0xffffffff ? 1 : 0)) | 0;
  low = sum | 0;
}

function rotateLeft(bits: number): void {
  const oldHigh = high;
  high = (high << bits) | (low >>> (32 - bits));
  low = (low << bits) | (oldHigh >>> (32 - bits));
}

/** round(accumulator, lane) of the specification, section "Step 2". */
function round(accHigh: number, accLow: number, laneHigh: number, laneLow: number): void {
  high = laneHigh;
  low = laneLow;
  multiply(P2_HIGH, P2_LOW);
  add(accHigh, accLow);
  rotateLeft(31);
  multiply(P1_HIGH, P1_LOW);
}

/** Consumes one 8-byte lane of the tail: acc = rotl(acc ^ round(0, lane), 27) * P1 + P4. */
function consumeLane(laneHigh: number, laneLow: number): void {
  const accHigh = high;
  const accLow = low;
  round(0, 0, laneHigh, laneLow);
  high ^= accHigh;
  low ^= accLow;
  rotateLeft(27);
  multiply(P1_HIGH, P1_LOW);
  add(P4_HIGH, P4_LOW);
}

function avalanche(): void {
  low ^= high >>> 1; // h ^= h >>> 33
  multiply(P2_HIGH, P2_LOW);
  const shiftedHigh = high >>> 29;
  low ^= (low >>> 29) | (high << 3); // h ^= h >>> 29
  high ^= shiftedHigh;
  multiply(P3_HIGH, P3_LOW);
  low ^= high; // h ^= h >>> 32
  hash64.high = high;
  hash64.low = low;
}

/** Hashes a 64-bit integer as its 8 little-endian two's complement bytes. */
export function hashInt64(valueHigh: number, valueLow: number, seed: Seed64): void {
  high = seed.high;
  low = seed.low;
  add(P5_HIGH, P5_LOW);
  add(0, 8);
  consumeLane(valueHigh, valueLow);
  avalanche();
}

const laneHighs = new Int32Array(4);
const laneLows = new Int32Array(4);

/** Hashes `bytes[start..end)`; strings are hashed as their UTF-8 bytes. */
export function hashBytes(bytes: Uint8Array, start: number, end: number, seed: Seed64): void {
  const lengthBytes = end - start;
  let at = start;
  if (lengthBytes >= STRIPE_BYTES) {
    startLanes(seed);
    for (; at + STRIPE_BYTES <= end; at += STRIPE_BYTES) {
      for (let lane = 0; lane < 4; lane++) {
        const from = at + 8 * lane;
        round(laneHighs[lane]!, laneLows[lane]!, readInt32(bytes, from + 4), readInt32(bytes, from));
        laneHighs[lane] = high;
        laneLows[lane] = low;
      }
    }
    mergeLanes();
  } else {
    high = seed.high;
    low = seed.low;
    add(P5_HIGH, P5_LOW);
  }
  add(0, lengthBytes);
  for (; at + 8 <= end; at += 8) consumeLane(readInt32(bytes, at + 4), readInt32(bytes, at));
  if (at + 4 <= end) {
    consumeSmall(0, readInt32(bytes, at), P1_HIGH, P1_LOW, 23, P2_HIGH, P2_LOW);
    add(P3_HIGH, P3_LOW);
    at += 4;
  }
  for (; at < end; at++) consumeSmall(0, bytes[at]!, P5_HIGH, P5_LOW, 11, P1_HIGH, P1_LOW);
  avalanche();
}

/** acc = rotl(acc ^ (value * factor), bits) * scale. */
function consumeSmall(
  valueHigh: number,
  valueLow: number,
  factorHigh: number,
  factorLow: number,
  bits: number,
  scaleHigh: number,
  scaleLow: number,
): void {
  const accHigh = high;
  const accLow = low;
  high = valueHigh;
  low = valueLow;
  multiply(factorHigh, factorLow);
  high ^= accHigh;
  low ^= accLow;
  rotateLeft(bits);
  multiply(scaleHigh, scaleLow);
}

function startLanes(seed: Seed64): void {
  const set = (lane: number) => {
    laneHighs[lane] = high;
    laneLows[lane] = low;
  };
  high = seed.high;
  low = seed.low;
  set(2);
  add(P2_HIGH, P2_LOW);
  set(1);
  add(P1_HIGH, P1_LOW);
  set(0);
  high = ~P1_HIGH;
  low = ~P1_LOW;
  add(0, 1);
  add(seed.high, seed.low);
  set(3);
}

const MERGE_ROTATIONS = [1, 7, 12, 18] as const;

function mergeLanes(): void {
  let sumHigh = 0;
  let sumLow = 0;
  for (let lane = 0; lane < 4; lane++) {
    high = laneHighs[lane]!;
    low = laneLows[lane]!;
    rotateLeft(MERGE_ROTATIONS[lane]!);
    add(sumHigh, sumLow);
    sumHigh = high;
    sumLow = low;
  }
  for (let lane = 0; lane < 4; lane++) {
    round(0, 0, laneHighs[lane]!, laneLows[lane]!);
    high ^= sumHigh;
    low ^= sumLow;
    multiply(P1_HIGH, P1_LOW);
    add(P4_HIGH, P4_LOW);
    sumHigh = high;
    sumLow = low;
  }
}

function readInt32(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

/** The last hash modulo `buckets` (1 to 2^31), exact for the unsigned 64-bit value. */
export function hashBucket(buckets: number): number {
  let rest = (hash64.high >>> 0) % buckets;
  rest = (rest * 65536 + (hash64.low >>> 16)) % buckets;
  return (rest * 65536 + (hash64.low & 0xffff)) % buckets;
}
