import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createIntLookup, IntIndex } from '../../lib/features/intIndex.ts';
import { StringIndex } from '../../lib/features/stringIndex.ts';

const INT64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n };
const highOf = (value: bigint) => Number(BigInt.asIntN(32, value >> 32n));
const lowOf = (value: bigint) => Number(BigInt.asIntN(32, value));
// Small, negative, beyond 2^53, equal in one half: whatever a lookup could mix up.
const int64Arbitrary = fc.oneof(
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

/** Fifty times what 100,000 values take; with one hash for all of them they take minutes. */
const WITHOUT_WALKS_MILLIS = 15_000;

/** Up to `maxLength` values: without the size, fast-check stops at about ten, and nothing grows. */
const many = <T>(value: fc.Arbitrary<T>, maxLength: number) => fc.array(value, { maxLength, size: 'max' });

function ranksOf(
  lookup: { findAll(highs: Int32Array, lows: Int32Array, count: number, ranks: Int32Array): void },
  values: readonly bigint[],
): number[] {
  // Callers keep their buffers: what lies behind the values that are asked for is none of the lookup's business.
  const asked = [...values, values[0] ?? 0n];
  const ranks = new Int32Array(asked.length).fill(-7);
  lookup.findAll(Int32Array.from(asked, highOf), Int32Array.from(asked, lowOf), values.length, ranks);
  expect(ranks.at(-1)).toBe(-7);
  return [...ranks.subarray(0, -1)];
}

describe('IntIndex', () => {
  it('agrees with a Map of BigInts on any integers, through growth', () => {
    fc.assert(
      fc.property(many(int64Arbitrary, 300), fc.array(int64Arbitrary), (added, asked) => {
        const index = new IntIndex();
        const map = new Map<bigint, number>();
        for (const value of added) {
          if (!map.has(value)) map.set(value, map.size);
          expect(index.findOrAdd(highOf(value), lowOf(value))).toBe(map.get(value));
        }
        expect(index.size).toBe(map.size);
        const queries = [...added, ...asked];
        expect(ranksOf(index, queries)).toEqual(queries.map((value) => (map.get(value) ?? -1) + 1));
        expect([...map.keys()].map((_, at) => index.valueAt(at))).toEqual([...map.keys()]);
      }),
      { numRuns: 50 },
    );
  });

  it(
    'holds 100,000 integers that differ only above bit 40, and finds one without a walk through the others',
    () => {
      const index = new IntIndex();
      for (let i = 0; i < 100_000; i++) index.findOrAdd(i << 8, 5);
      expect(index.size).toBe(100_000);
      expect(ranksOf(index, [(99_999n << 40n) | 5n, (100_000n << 40n) | 5n, 5n])).toEqual([100_000, 0, 1]);
    },
    WITHOUT_WALKS_MILLIS,
  );

  it('orders values as signed 64-bit integers', () => {
    const sorted = [
      INT64.min,
      -(2n ** 32n),
      -1n,
      0n,
      1n,
      2n ** 31n,
      2n ** 32n - 1n,
      2n ** 53n + 1n,
      INT64.max,
    ];
    const index = new IntIndex();
    for (const value of sorted) index.findOrAdd(highOf(value), lowOf(value));
    for (let a = 0; a < sorted.length; a++) {
      for (let b = 0; b < sorted.length; b++) expect(Math.sign(index.compare(a, b))).toBe(Math.sign(a - b));
    }
  });
});

describe('createIntLookup', () => {
  const dense = fc.uniqueArray(fc.bigInt({ min: -20n, max: 60n }));
  const sparse = fc.uniqueArray(int64Arbitrary);

  it('gives 1 + position of listed integers and 0 for all others, dense or sparse', () => {
    fc.assert(
      fc.property(fc.oneof(dense, sparse), fc.array(int64Arbitrary), (listed, asked) => {
        const queries = [...listed, ...asked];
        const expected = queries.map((value) => listed.indexOf(value) + 1);
        expect(ranksOf(createIntLookup(listed.map(String)), queries)).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  it('gives few values a table of their whole range only where that is short', () => {
    const lookupOf = (values: readonly (string | number)[]) => createIntLookup(values);
    for (const values of [[0, 1, 2], Array.from({ length: 5_000 }, (_, i) => i - 9)]) {
      expect(lookupOf(values)).not.toBeInstanceOf(IntIndex);
    }
    // As a table, the first would take 4 MiB, and the others more memory than there is.
    for (const values of [
      [0, 2 ** 20],
      [-(2 ** 20), 0],
      [String(INT64.min), String(INT64.max)],
    ]) {
      const lookup = lookupOf(values);
      expect(lookup).toBeInstanceOf(IntIndex);
      expect(ranksOf(lookup, [...values.map(BigInt), 1n])).toEqual([1, 2, 0]);
    }
  });

  it('tells a dense value from integers that share its low half', () => {
    const lookup = createIntLookup([0, 1, 2, -1]);
    const asked = [1n, (1n << 32n) | 1n, (-1n << 32n) | 1n, -1n, 0xffffffffn];
    expect(ranksOf(lookup, asked)).toEqual([2, 0, 0, 4, 0]);
  });
});

describe('StringIndex', () => {
  const encode = (text: string) => new TextEncoder().encode(text);
  const rankOf = (index: StringIndex, text: string) => {
    const ranks = new Int32Array(1).fill(-7);
    const bytes = encode(`<<${text}>>`);
    index.findAll(bytes, Int32Array.of(0, 2, bytes.length - 2), 1, 1, ranks);
    return ranks[0];
  };

  it('agrees with a Map on any strings', () => {
    const texts = many(fc.oneof(fc.string({ maxLength: 3 }), fc.string({ unit: 'binary' })), 100);
    fc.assert(
      fc.property(texts, fc.array(fc.string({ maxLength: 3 })), (added, asked) => {
        const index = new StringIndex();
        const map = new Map<string, number>();
        for (const text of added) {
          if (!map.has(text)) map.set(text, map.size);
          const bytes = encode(`__${text}`);
          expect(index.findOrAdd(bytes, 2, bytes.length)).toBe(map.get(text));
        }
        expect(index.size).toBe(map.size);
        for (const text of [...added, ...asked]) expect(rankOf(index, text)).toBe((map.get(text) ?? -1) + 1);
        for (const [text, at] of map) expect(new TextDecoder().decode(index.bytesAt(at))).toBe(text);
      }),
      { numRuns: 50 },
    );
  });

  it(
    'holds 100,000 strings, one of them longer than all others, and finds each without a walk through the others',
    () => {
      const index = new StringIndex();
      const texts = [...Array.from({ length: 99_999 }, (_, i) => `user-${i}`), 'x'.repeat(2 ** 22)];
      const added = texts.map((text) => index.findOrAdd(encode(text), 0, text.length));
      expect(added).toEqual([...texts.keys()]);
      expect(index.size).toBe(100_000);
      expect(texts.map((text) => rankOf(index, text))).toEqual(texts.map((_, at) => at + 1));
      expect(texts.map((_, at) => new TextDecoder().decode(index.bytesAt(at)))).toEqual(texts);
      expect(rankOf(index, 'user-100000')).toBe(0);
    },
    WITHOUT_WALKS_MILLIS,
  );

  it('looks several strings up at once, from any offset on', () => {
    const index = new StringIndex();
    for (const text of ['a', 'bc']) index.findOrAdd(encode(text), 0, text.length);
    const ranks = new Int32Array(4).fill(-7);
    index.findAll(encode('--abcabc'), Int32Array.of(0, 2, 3, 5, 6, 8), 1, 3, ranks);
    expect([...ranks]).toEqual([1, 2, 1, -7]);
  });

  it('orders strings byte by byte', () => {
    const index = new StringIndex();
    const sorted = ['', 'B', 'a', 'ab', 'b', 'é'];
    for (const text of sorted) index.findOrAdd(encode(text), 0, encode(text).length);
    for (let a = 0; a < sorted.length; a++) {
      for (let b = 0; b < sorted.length; b++) expect(Math.sign(index.compare(a, b))).toBe(Math.sign(a - b));
    }
  });

  it('keeps strings apart whose 32-bit hashes are equal', () => {
    // Known collisions of FNV-1a.
    const index = new StringIndex();
    for (const text of ['costarring', 'declinate']) index.findOrAdd(encode(text), 0, text.length);
    expect(['costarring', 'declinate', 'liquid', 'macallums'].map((text) => rankOf(index, text))).toEqual([
      1, 2, 0, 0,
    ]);
    expect(index.findOrAdd(encode('liquid'), 0, 6)).toBe(2);
    expect(rankOf(index, 'liquid')).toBe(3);
  });

  it('keeps a string apart from its own beginning where even their 32-bit hashes are equal', () => {
    // The last seven bytes lead the state of FNV-1a back to where it was.
    const [short, long] = ['user', 'userwkaghvl'];
    const onlyLong = new StringIndex();
    onlyLong.findOrAdd(encode(long), 0, long.length);
    expect([short, long].map((text) => rankOf(onlyLong, text))).toEqual([0, 1]);
    // The arena goes on with the bytes that the longer one ends with.
    const onlyShort = new StringIndex();
    for (const text of [short, 'wkaghvl']) onlyShort.findOrAdd(encode(text), 0, text.length);
    expect([short, long].map((text) => rankOf(onlyShort, text))).toEqual([1, 0]);
  });

  it('tells a string from its prefix and from the empty string', () => {
    const index = new StringIndex();
    for (const text of ['ab', '', 'abc']) index.findOrAdd(encode(text), 0, text.length);
    expect(['', 'a', 'ab', 'abc', 'abcd'].map((text) => rankOf(index, text))).toEqual([2, 0, 1, 3, 0]);
  });
});
