import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IntIndex } from '../../lib/features/intIndex.ts';
import { StringIndex } from '../../lib/features/stringIndex.ts';
import { highOf, int64Arbitrary, lowOf, many, ranksOf } from './lookUp.ts';

/** Fifty times what 100,000 values take; with one hash for all of them they take minutes. */
const WITHOUT_WALKS_MILLIS = 15_000;

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
        const held = new BigInt64Array(Int32Array.from(index.halves.subarray(0, 2 * map.size)).buffer);
        expect([...held]).toEqual([...map.keys()]);
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
