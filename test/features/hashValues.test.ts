import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IdBins } from '../../lib/features/binCounter.ts';
import { hashIntegers, hashTexts } from '../../lib/features/hashValues.ts';
import { referenceXxh64 } from './referenceXxh64.ts';

const vectors: { readonly int64: readonly { value: string; seed: number; xxh64: string }[] } = JSON.parse(
  readFileSync(new URL('xxh64-vectors.json', import.meta.url), 'utf8'),
);

function readerOf(values: readonly bigint[]) {
  const halves = new Int32Array(BigInt64Array.from(values, (value) => BigInt.asIntN(64, value)).buffer);
  return (from: number, count: number, into: Int32Array) =>
    into.set(halves.subarray(2 * from, 2 * (from + count)));
}

function idsOf(values: readonly bigint[], seed: number, buckets: number): number[] {
  const rows = new Int32Array(values.length);
  hashIntegers(readerOf(values), values.length, { buckets, seed }, { rowStart: 0, rows });
  return [...rows];
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
    const rows = new Int32Array(5).fill(-9);
    const into = new Uint8Array(5).fill(99);
    hashIntegers(
      readerOf([1n, 2n, 3n]),
      3,
      { buckets: 50, seed: 1 },
      { rowStart: 0, rows, bins: { ends: [7], into } },
    );
    expect([...rows.subarray(3)]).toEqual([-9, -9]);
    expect([...into.subarray(3)]).toEqual([99, 99]);
  });

  it('gives ids their rows and the bins that a search gives them', () => {
    const values = Array.from({ length: 5000 }, (_, at) => BigInt(at));
    const ids = Int32Array.from(idsOf(values, 3, 997));
    for (const ends of [[], [0], [996.5], [1, 1.5, 2, 300, 996, 2 ** 40], quantiles(253)]) {
      const bins = new Uint8Array(ids.length);
      new IdBins(ends, 998).find(ids, ids.length, bins);
      const rows = new Int32Array(ids.length);
      const into = new Uint8Array(ids.length);
      const target = { rowStart: 1_000_000, rows, bins: { ends, into } };
      hashIntegers(readerOf(values), values.length, { buckets: 997, seed: 3 }, target);
      expect(rows).toEqual(ids.map((id) => 1_000_000 + id));
      expect(into).toEqual(bins);
    }
  });
});

function quantiles(count: number): number[] {
  return Array.from({ length: count }, (_, at) => 3 * at);
}

describe('hashTexts', () => {
  const encoder = new TextEncoder();

  function columnOf(texts: readonly Uint8Array[]) {
    const offsets = new Int32Array(texts.length + 1);
    for (const [at, text] of texts.entries()) offsets[at + 1] = offsets[at]! + text.length;
    return { bytes: Buffer.concat(texts), offsets };
  }

  it('hashes bytes of every length as a BigInt version does', () => {
    const column = Array.from({ length: 131 }, (_, length) =>
      Uint8Array.from({ length }, (_, at) => 37 * at + length),
    );
    const { bytes, offsets } = columnOf(column);
    const rows = new Int32Array(column.length);
    hashTexts(bytes, offsets, 0, rows.length, { buckets: 2 ** 30, seed: 3 }, { rowStart: 0, rows });
    expect([...rows]).toEqual(column.map((text) => 1 + Number(referenceXxh64(text, 3n) % 2n ** 30n)));
  });

  it('hashes any bytes as a BigInt version does, from any value on and with any seed', () => {
    const texts = fc.array(fc.uint8Array({ maxLength: 130 }), { minLength: 1, maxLength: 9 });
    fc.assert(
      fc.property(texts, fc.maxSafeNat(), fc.nat({ max: 8 }), (column, seed, before) => {
        const { bytes, offsets } = columnOf(column);
        const from = Math.min(before, column.length);
        const rows = new Int32Array(column.length - from);
        for (const buckets of COPRIME) {
          hashTexts(bytes, offsets, from, rows.length, { buckets, seed }, { rowStart: 5, rows });
          const hashes = column.slice(from).map((text) => referenceXxh64(text, BigInt(seed)));
          expect([...rows]).toEqual(hashes.map((hash) => 6 + Number(hash % BigInt(buckets))));
        }
      }),
      { numRuns: 300 },
    );
  });

  it('gives the same whether a text is alone, among thousands, or longer than the memory of the kernels', () => {
    const texts = Array.from({ length: 9000 }, (_, at) => encoder.encode(`text ${at} `.repeat(1 + (at % 9))));
    texts[4100] = new Uint8Array(114_624).fill(65);
    texts[4101] = new Uint8Array(114_625).fill(66);
    texts[8999] = new Uint8Array(300_000).fill(67);
    const ends = [100, 400_000];
    const idsAndBins = (some: readonly Uint8Array[]) => {
      const { bytes, offsets } = columnOf(some);
      const rows = new Int32Array(some.length);
      const into = new Uint8Array(some.length);
      const settings = { buckets: 1_000_003, seed: 9 };
      hashTexts(bytes, offsets, 0, some.length, settings, { rowStart: 0, rows, bins: { ends, into } });
      return Array.from(rows, (row, at) => [row, into[at]!]);
    };
    const together = idsAndBins(texts);
    expect(together).toEqual(texts.flatMap((text) => idsAndBins([text])));
    const hash = referenceXxh64(texts[4101]!, 9n);
    expect(together[4101]![0]).toBe(1 + Number(hash % 1_000_003n));
    expect(new Set(together.map(([, bin]) => bin))).toEqual(new Set([0, 1, 2]));
  });
});
