import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IntScratch } from '../../lib/features/columnValues.ts';
import { seed64 } from '../../lib/features/hash64.ts';
import { hashIntegers } from '../../lib/features/hashIntegers.ts';
import { referenceXxh64 } from './referenceXxh64.ts';

const vectors: { readonly int64: readonly { value: string; seed: number; xxh64: string }[] } = JSON.parse(
  readFileSync(new URL('xxh64-vectors.json', import.meta.url), 'utf8'),
);

function idsOf(values: readonly bigint[], seed: number, buckets: number): number[] {
  const scratch = new IntScratch();
  scratch.ensure(values.length);
  for (const [at, value] of values.entries()) {
    scratch.lows[at] = Number(BigInt.asIntN(32, value));
    scratch.highs[at] = Number(BigInt.asIntN(32, value >> 32n));
  }
  const ids = new Int32Array(values.length);
  hashIntegers(scratch, values.length, seed64(seed), buckets, ids);
  return [...ids];
}

function littleEndian(value: bigint): Uint8Array {
  return new Uint8Array(BigInt64Array.of(value).buffer);
}

/** Without a common factor and with a product above 2^64: hashes with the same rests by all three are the same. */
const COPRIME = [2 ** 30, 3 ** 18, 5 ** 12];

function expectHashes(values: readonly bigint[], seed: number, hashes: readonly bigint[]): void {
  for (const buckets of COPRIME) {
    expect(idsOf(values, seed, buckets)).toEqual(hashes.map((hash) => 1 + Number(hash % BigInt(buckets))));
  }
}

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

describe('hashIntegers', () => {
  it('hashes an int64 as the reference implementation hashes its 8 little-endian bytes', () => {
    expect(vectors.int64.length).toBeGreaterThan(20);
    for (const { value, seed, xxh64 } of vectors.int64) {
      expectHashes([BigInt(value)], seed, [BigInt(`0x${xxh64}`)]);
    }
  });

  it('equals a BigInt version on any integers, also with a seed whose sum with the constants is about to carry', () => {
    const carry = 2 ** 32 - 0x165667c5 - 8;
    const seeds = fc.oneof(fc.maxSafeNat(), fc.integer({ min: carry - 10, max: carry + 10 }));
    fc.assert(
      fc.property(fc.array(int64, { maxLength: 5 }), seeds, (values, seed) => {
        const hashes = values.map((value) => referenceXxh64(littleEndian(value), BigInt(seed)));
        expectHashes(values, seed, hashes);
      }),
      { numRuns: 500 },
    );
  });

  it('takes the unsigned hash modulo any number of buckets', () => {
    const some = fc.oneof(
      fc.integer({ min: 1, max: 2 ** 30 }),
      fc.constantFrom(1, 2, 3, 2 ** 16 + 1, 2 ** 30),
    );
    fc.assert(
      fc.property(int64, some, (value, buckets) => {
        const hash = referenceXxh64(littleEndian(value), 7n);
        expect(idsOf([value], 7, buckets)).toEqual([1 + Number(hash % BigInt(buckets))]);
      }),
      { numRuns: 500 },
    );
  });

  it('gives every value its id, however many there are at a time, and touches nothing behind them', () => {
    const values = Array.from({ length: 10_000 }, (_, at) => BigInt(at) * 0x9e3779b97f4an - 77n);
    const one = values.map((value) => idsOf([value], 3, 1_000_003)[0]!);
    for (const length of [0, 1, 4_095, 4_096, 4_097, 10_000]) {
      expect(idsOf(values.slice(0, length), 3, 1_000_003)).toEqual(one.slice(0, length));
    }
    const scratch = new IntScratch();
    scratch.ensure(3);
    const ids = new Int32Array(5).fill(-9);
    hashIntegers(scratch, 3, seed64(1), 50, ids);
    expect([...ids.subarray(3)]).toEqual([-9, -9]);
  });
});
