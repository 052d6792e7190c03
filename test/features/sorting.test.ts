import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sortByBytes } from '../../lib/features/sortByBytes.ts';
import { places, sortByKey } from '../../lib/features/sortByKey.ts';
import { StringIndex } from '../../lib/features/stringIndex.ts';

describe('sortByKey', () => {
  it('sorts as a stable sort by unsigned keys does, some of the items or all', () => {
    const key = fc.oneof(
      fc.nat(3),
      fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      fc.constantFrom(2 ** 31, 65_536, 65_535),
    );
    fc.assert(
      fc.property(fc.array(key, { maxLength: 200, size: 'max' }), fc.nat(3), (keys, left) => {
        const items = places(keys.length).filter((item) => item % 4 !== left);
        const before = [...items];
        const expected = [...items].sort((a, b) => keys[a]! - keys[b]!);
        expect([...sortByKey(items, Uint32Array.from(keys))]).toEqual(expected);
        expect([...items]).toEqual(before);
      }),
    );
  });
});

describe('sortByBytes', () => {
  const sorted = (texts: readonly Uint8Array[]) => {
    const index = new StringIndex();
    for (const text of texts) index.findOrAdd(text, 0, text.length);
    const order = places(index.size);
    sortByBytes(order, index);
    return Array.from(order, (at) => Buffer.from(index.bytesAt(at)).toString('hex'));
  };
  const byBytes = (texts: readonly Uint8Array[]) => {
    const different = new Map(texts.map((text) => [Buffer.from(text).toString('hex'), text]));
    return [...different].sort(([, a], [, b]) => Buffer.compare(a, b)).map(([hex]) => hex);
  };

  it('sorts any byte strings as comparing them does', () => {
    // Of few different bytes, so that many share a prefix, or are one.
    const text = fc
      .array(fc.constantFrom(0, 1, 127, 128, 255), { maxLength: 6 })
      .map((bytes) => Uint8Array.from(bytes));
    fc.assert(
      fc.property(fc.array(text, { maxLength: 300, size: 'max' }), (texts) => {
        expect(sorted(texts)).toEqual(byBytes(texts));
      }),
    );
  });

  it('sorts strings that share more bytes than there is room for calls', () => {
    const prefix = 'x'.repeat(50_000);
    const texts = Array.from({ length: 40 }, (_, i) => Buffer.from(`${prefix}${(i * 7) % 40}`));
    expect(sorted(texts)).toEqual(byBytes(texts));
  });
});
