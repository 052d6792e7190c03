import type { IntScratch } from './columnValues.ts';
import type { Seed64 } from './hash64.ts';

/*
 * XXH64 (hash64.ts) of many 64-bit integers, as their 8 little-endian two's complement bytes, in WebAssembly: it multiplies and
 * divides 64 bits at once, which takes a quarter of the time of halves of 32. The module is so small that it is written out here,
 * instruction by instruction (https://webassembly.github.io/spec/core/binary/): one function over the values that lie at the
 * beginning of its memory. Its results may never change either.
 */

/** Values of a call: 8 bytes each, and 4 of each result behind them, are in one page of 64 KiB. */
const CALL_VALUES = 4096;
const RESULTS_START = 8 * CALL_VALUES;

const P1 = 0x9e3779b185ebca87n;
const P2 = 0xc2b2ae3d27d4eb4fn;
const P3 = 0x165667b19e3779f9n;
const P4 = 0x85ebca77c2b2ae63n;
const P5 = 0x27d4eb2f165667c5n;
const VALUE_BYTES = 8n;

const [I32, I64, FUNCTION, VOID] = [0x7f, 0x7e, 0x60, 0x40];
const [MEMORY_KIND, FUNCTION_KIND] = [2, 0];
const [LOOP, END, BRANCH_IF] = [0x03, 0x0b, 0x0d];
const [GET, TEE] = [0x20, 0x22];
const [LOAD_64, STORE_32] = [0x29, 0x36];
const [ADD_32, SHIFT_LEFT_32, IS_LESS_32, WRAP_32] = [0x6a, 0x74, 0x49, 0xa7];
const [ADD, MULTIPLY, REMAINDER, XOR, SHIFT_RIGHT, ROTATE] = [0x7c, 0x7e, 0x82, 0x85, 0x88, 0x89];

/** Signed LEB128. */
function leb(value: bigint): number[] {
  const bytes: number[] = [];
  for (let left = value; ; ) {
    const low = Number(left & 127n);
    left >>= 7n;
    const isLast = left === (low < 64 ? 0n : -1n);
    bytes.push(isLast ? low : low | 128);
    if (isLast) return bytes;
  }
}

/** Unsigned LEB128. */
function count(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...count(value >>> 7)];
}

const int32 = (value: number) => [0x41, ...leb(BigInt(value))];
const int64 = (value: bigint) => [0x42, ...leb(BigInt.asIntN(64, value))];
/** h ^= h >>> bits, of the number on the stack. */
const fold = (bits: bigint) => [TEE, HASH, GET, HASH, ...int64(bits), SHIFT_RIGHT, XOR];
const times = (factor: bigint) => [...int64(factor), MULTIPLY];
const rotated = (bits: bigint) => [...int64(bits), ROTATE];
const section = (id: number, ...bytes: number[]) => [id, ...count(bytes.length), ...bytes];

/** Parameters: how many values; seed + P5 + 8; buckets. Then variables. */
const [VALUES, SEEDED, BUCKETS, INDEX, HASH] = [0, 1, 2, 3, 4];

function moduleBytes(): Uint8Array<ArrayBuffer> {
  const body = [
    // One i32, INDEX, and one i64, HASH, which begin with 0.
    ...[2, 1, I32, 1, I64],
    ...[LOOP, VOID],
    ...[GET, INDEX, ...int32(2), SHIFT_LEFT_32],
    ...[GET, INDEX, ...int32(3), SHIFT_LEFT_32, LOAD_64, 3, 0],
    ...[...times(P2), ...rotated(31n), ...times(P1)],
    ...[GET, SEEDED, XOR, ...rotated(27n), ...times(P1), ...int64(P4), ADD],
    ...[...fold(33n), ...times(P2), ...fold(29n), ...times(P3), ...fold(32n)],
    ...[GET, BUCKETS, REMAINDER, WRAP_32, STORE_32, 2, ...count(RESULTS_START)],
    ...[GET, INDEX, ...int32(1), ADD_32, TEE, INDEX, GET, VALUES, IS_LESS_32, BRANCH_IF, 0],
    ...[END, END],
  ];
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, 1, FUNCTION, 3, I32, I64, I64, 0),
    ...section(3, 1, 0),
    ...section(5, 1, 0, 1),
    ...section(7, 2, 1, 0x6d, MEMORY_KIND, 0, 1, 0x66, FUNCTION_KIND, 0),
    ...section(10, 1, ...count(body.length), ...body),
  ]);
}

interface Hasher {
  readonly values: Int32Array;
  readonly results: Int32Array;
  readonly hash: (values: number, seeded: bigint, buckets: bigint) => void;
}

/** What is used of the global, which Node's types don't have. */
interface Assembly {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
  ) => { readonly exports: { readonly m: { readonly buffer: ArrayBuffer }; readonly f: Hasher['hash'] } };
}

let hasher: Hasher | undefined;

/** One per thread. */
function theHasher(): Hasher {
  if (hasher !== undefined) return hasher;
  const { Module, Instance } = (globalThis as unknown as { readonly WebAssembly: Assembly }).WebAssembly;
  const { exports } = new Instance(new Module(moduleBytes()));
  const { buffer } = exports.m;
  hasher = {
    values: new Int32Array(buffer, 0, 2 * CALL_VALUES),
    results: new Int32Array(buffer, RESULTS_START, CALL_VALUES),
    hash: exports.f,
  };
  return hasher;
}

/** Writes 1 + XXH64(value, seed) mod `buckets` of the first `count` of 64-bit integers. @param buckets from 1 to 2^30 */
export function hashIntegers(
  { highs, lows }: IntScratch,
  count: number,
  { high, low }: Seed64,
  buckets: number,
  into: Int32Array,
): void {
  const { values, results, hash } = theHasher();
  const seed = (BigInt(high) << 32n) + BigInt(low >>> 0);
  const seeded = seed + P5 + VALUE_BYTES;
  for (let start = 0; start < count; start += CALL_VALUES) {
    const some = Math.min(CALL_VALUES, count - start);
    for (let at = 0; at < some; at++) {
      values[2 * at] = lows[start + at]!;
      values[2 * at + 1] = highs[start + at]!;
    }
    hash(some, seeded, BigInt(buckets));
    for (let at = 0; at < some; at++) into[start + at] = 1 + results[at]!;
  }
}
