import { Instance, Module } from '../base/webAssembly.ts';
import type { IntScratch } from './columnValues.ts';
import type { Seed64 } from './hash64.ts';
import { HASH_KERNELS } from './hashKernels.ts';

/*
 * XXH64 (hash64.ts) of many 64-bit integers, as their 8 little-endian two's complement bytes, in WebAssembly: it multiplies and
 * divides 64 bits at once, which takes a quarter of the time of halves of 32.
 */

/** Values of a call: 8 bytes each, and 4 of each result behind them, are in one page of 64 KiB. */
const CALL_VALUES = 4096;
const RESULTS_START = 8 * CALL_VALUES;

const P5 = 0x27d4eb2f165667c5n;
const VALUE_BYTES = 8n;

interface Hasher {
  readonly values: Int32Array;
  readonly results: Int32Array;
  readonly hash: (values: number, seeded: bigint, buckets: bigint) => void;
}

let hasher: Hasher | undefined;

/** One per thread. */
function theHasher(): Hasher {
  if (hasher !== undefined) return hasher;
  const { exports } = new Instance(new Module(Buffer.from(HASH_KERNELS, 'base64')));
  const { memory, hash } = exports as {
    readonly memory: { readonly buffer: ArrayBuffer };
    readonly hash: Hasher['hash'];
  };
  hasher = {
    values: new Int32Array(memory.buffer, 0, 2 * CALL_VALUES),
    results: new Int32Array(memory.buffer, RESULTS_START, CALL_VALUES),
    hash,
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
