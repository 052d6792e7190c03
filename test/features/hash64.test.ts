import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { hash64, hashBucket, hashBytes, seed64 } from '../../lib/features/hash64.ts';
import { referenceXxh64 } from './referenceXxh64.ts';

interface Vectors {
  readonly published: readonly { text: string; seed: number; xxh64: string }[];
  readonly bytes: readonly { bytes: string; seed: number; xxh64: string }[];
}
const vectors: Vectors = JSON.parse(readFileSync(new URL('xxh64-vectors.json', import.meta.url), 'utf8'));

function lastHash(): bigint {
  return BigInt.asUintN(64, (BigInt(hash64[1]!) << 32n) | BigInt(hash64[0]! >>> 0));
}

function hashOfBytes(bytes: Uint8Array, seed: number): bigint {
  hashBytes(bytes, 0, bytes.length, seed64(seed));
  return lastHash();
}

const bucketsArbitrary = fc.oneof(
  fc.integer({ min: 1, max: 2 ** 30 }),
  fc.constantFrom(1, 2, 3, 2 ** 16, 2 ** 16 + 1, 2 ** 29 + 1, 2 ** 30 - 1, 2 ** 30),
);

describe('XXH64', () => {
  it('gives the published test values', () => {
    for (const { text, seed, xxh64 } of vectors.published) {
      expect(hashOfBytes(new TextEncoder().encode(text), seed).toString(16).padStart(16, '0')).toBe(xxh64);
    }
  });

  it('equals the reference implementation on bytes of every length class, with seeds up to 2^53 - 1', () => {
    expect(vectors.bytes.length).toBeGreaterThan(100);
    for (const { bytes, seed, xxh64 } of vectors.bytes) {
      expect(hashOfBytes(Buffer.from(bytes, 'hex'), seed).toString(16).padStart(16, '0')).toBe(xxh64);
    }
  });

  it('equals a BigInt version on any bytes, wherever they stand in their buffer', () => {
    fc.assert(
      fc.property(
        // Without the size, fast-check stops at about ten bytes, short of a stripe.
        fc.uint8Array({ maxLength: 200, size: 'max' }),
        fc.nat(9),
        fc.maxSafeNat(),
        fc.uint8Array({ maxLength: 9 }),
        (bytes, start, seed, after) => {
          const buffer = Uint8Array.from([...new Uint8Array(start).fill(7), ...bytes, ...after]);
          hashBytes(buffer, start, start + bytes.length, seed64(seed));
          expect(lastHash()).toBe(referenceXxh64(bytes, BigInt(seed)));
        },
      ),
      { numRuns: 500 },
    );
  });

  it('equals a BigInt version on half a megabyte, where every carry of a product happens', () => {
    const bytes = new Uint8Array(2 ** 19);
    const random = new RandomStream(3);
    for (let i = 0; i < bytes.length; i++) bytes[i] = random.nextBelow(256);
    expect(hashOfBytes(bytes, 11)).toBe(referenceXxh64(bytes, 11n));
  });
});

describe('hashBucket', () => {
  const bucketOf = (hash: bigint, buckets: number) => {
    hash64[0] = Number(BigInt.asIntN(32, hash));
    hash64[1] = Number(BigInt.asIntN(32, hash >> 32n));
    return hashBucket(buckets, 1 / buckets);
  };

  it('is the unsigned 64-bit hash modulo the buckets, exactly', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), bucketsArbitrary, (hash, buckets) => {
        expect(bucketOf(hash, buckets)).toBe(Number(hash % BigInt(buckets)));
      }),
      { numRuns: 3000 },
    );
  });

  it('is exact next to multiples of the buckets, where a rounded quotient would slip', () => {
    fc.assert(
      fc.property(
        bucketsArbitrary,
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        fc.constantFrom(-1n, 0n, 1n),
        (buckets, near, offset) => {
          const hash = BigInt.asUintN(64, (near / BigInt(buckets)) * BigInt(buckets) + offset);
          expect(bucketOf(hash, buckets)).toBe(Number(hash % BigInt(buckets)));
        },
      ),
      { numRuns: 3000 },
    );
  });
});
