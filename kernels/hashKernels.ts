/*
 * XXH64 of 64-bit integers in WebAssembly, written in AssemblyScript: `npm run build:kernels` compiles it into
 * lib/features/hashKernels.ts. The meaning is that of lib/features/hash64.ts, and its results may never change either.
 */

const P1: u64 = 0x9e3779b185ebca87;
const P2: u64 = 0xc2b2ae3d27d4eb4f;
const P3: u64 = 0x165667b19e3779f9;
const P4: u64 = 0x85ebca77c2b2ae63;

/** Where results begin in memory, behind 4,096 values; as lib/features/hashIntegers.ts has it. */
const RESULTS_START: usize = 8 * 4096;

/**
 * Hashes the values that lie at the beginning of memory, as their 8 little-endian bytes.
 * @param seeded the seed, XXH64's fifth prime and 8, the number of bytes
 */
export function hash(count: u32, seeded: u64, buckets: u64): void {
  for (let at: usize = 0; at < count; at++) {
    let mixed = seeded ^ (rotl<u64>(load<u64>(8 * at) * P2, 31) * P1);
    mixed = rotl<u64>(mixed, 27) * P1 + P4;
    mixed = (mixed ^ (mixed >> 33)) * P2;
    mixed = (mixed ^ (mixed >> 29)) * P3;
    mixed ^= mixed >> 32;
    store<u32>(RESULTS_START + 4 * at, <u32>(mixed % buckets));
  }
}
