import fc from 'fast-check';
import { expect } from 'vitest';
import type { IntLookup } from '../../lib/features/intVocabulary.ts';
import type { StringLookup } from '../../lib/features/stringIndex.ts';

export const INT64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n };
export const highOf = (value: bigint) => Number(BigInt.asIntN(32, value >> 32n));
export const lowOf = (value: bigint) => Number(BigInt.asIntN(32, value));
// Small, negative, beyond 2^53, equal in one half: whatever a lookup could mix up.
export const int64Arbitrary = fc.oneof(
  fc.bigInt({ min: -5n, max: 40n }),
  fc.bigInt(INT64),
  fc.constantFrom(
    2n ** 53n,
    2n ** 53n + 1n,
    1n << 32n,
    (1n << 32n) + 1n,
    -1n,
    0xffffffffn,
    INT64.min,
    INT64.max,
  ),
);

/** Up to `maxLength` values: without the size, fast-check stops at about ten, and nothing grows. */
export const many = <T>(value: fc.Arbitrary<T>, maxLength: number) =>
  fc.array(value, { maxLength, size: 'max' });

export function ranksOf(lookup: IntLookup, values: readonly bigint[]): number[] {
  // Callers keep their buffers: what lies behind the values that are asked for is none of the lookup's business.
  const asked = [...values, values[0] ?? 0n];
  const ranks = new Int32Array(asked.length).fill(-7);
  lookup.findAll(Int32Array.from(asked, highOf), Int32Array.from(asked, lowOf), values.length, ranks);
  expect(ranks.at(-1)).toBe(-7);
  return [...ranks.subarray(0, -1)];
}

/** As `ranksOf`, of strings within other bytes. */
export function textRanksOf(lookup: StringLookup, texts: readonly string[]): number[] {
  const parts = ['<<', ...texts, '>>'].map((text) => new TextEncoder().encode(text));
  const offsets = new Int32Array(parts.length + 1);
  parts.forEach((part, index) => {
    offsets[index + 1] = offsets[index]! + part.length;
  });
  const ranks = new Int32Array(texts.length + 1).fill(-7);
  lookup.findAll(Buffer.concat(parts), offsets, 1, texts.length, ranks);
  expect(ranks.at(-1)).toBe(-7);
  return [...ranks.subarray(0, -1)];
}
