import {
  Bool,
  type Data,
  Float16,
  Float32,
  Int32,
  makeData,
  type RecordBatch,
  Uint32,
  Uint64,
  util,
} from 'apache-arrow';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allocateEncodedRows } from '../../lib/features/encodedRows.ts';
import { batchOf, columnOf, doubles, int64Lists, int64s, strings } from './arrowBatches.ts';
import { encoded, encoderOf, vocabulary } from './encodeBatch.ts';

const categorical = (table: object) => [{ kind: 'categorical', column: 'a', table }];
const singlesOf = (features: readonly object[], batch: RecordBatch) =>
  encoded(encoderOf(features), batch).singles;

describe('categorical features', () => {
  it('find int64 exactly beyond 2^53', () => {
    const table = {
      type: 'int',
      ...vocabulary('9007199254740993', '9007199254740992', '-9223372036854775808'),
    };
    const values = [2n ** 53n, 2n ** 53n + 1n, 2n ** 53n + 2n, -(2n ** 63n), -(2n ** 63n) + 1n];
    expect(singlesOf(categorical(table), batchOf({ a: int64s(values) }))).toEqual([2, 1, 0, 3, 0]);
  });

  it('tell null and missing values (counted missing) from unseen values, though all use row 0', () => {
    const table = { type: 'int', missingValues: [-1, '-2'], ...vocabulary('5', '-1') };
    const encoder = encoderOf(categorical(table));
    const batch = batchOf({ a: int64s([5, -1, null, 6, -2, 7, 8], 5n) });
    expect(encoded(encoder, batch).singles).toEqual([1, 0, 0, 0, 0, 0, 0]);
    expect(encoder.counts).toEqual([{ name: 'a', values: 7, missing: 3, unseen: 3 }]);
    encoder.encode(batch, 2, 4, allocateEncodedRows(encoder.layout, 2), 0);
    expect(encoder.counts).toEqual([{ name: 'a', values: 9, missing: 4, unseen: 4 }]);
  });

  it('do the same for strings, and take the empty string as a value like any other', () => {
    const table = { type: 'string', missingValues: ['', -1], ...vocabulary('x', 'é') };
    const encoder = encoderOf(categorical(table));
    const values = strings(['é', '', null, 'e', '-1', 'x']);
    expect(encoded(encoder, batchOf({ a: values })).singles).toEqual([2, 0, 0, 0, 0, 1]);
    expect(encoder.counts).toEqual([{ name: 'a', values: 6, missing: 3, unseen: 1 }]);
    const open = { type: 'string', ...vocabulary('', 'x') };
    expect(singlesOf(categorical(open), batchOf({ a: values }))).toEqual([0, 1, 0, 0, 0, 2]);
  });

  it('give a value the same id whatever integer type its column has', () => {
    const table = { type: 'int', ...vocabulary('1', '0', '200') };
    for (const type of [new Int32(), new Uint32()]) {
      expect(singlesOf(categorical(table), batchOf({ a: columnOf(type, [0, 1, 200, 201]) }))).toEqual([
        2, 1, 3, 0,
      ]);
    }
    expect(singlesOf(categorical(table), batchOf({ a: columnOf(new Uint64(), [200n, 1n]) }))).toEqual([3, 1]);
    expect(singlesOf(categorical(table), batchOf({ a: columnOf(new Bool(), [true, null, false]) }))).toEqual([
      1, 0, 2,
    ]);
  });

  it('hash to buckets that stay the same for ever', () => {
    // 1 + XXH64 mod 1,000,003, computed by another implementation; models in use depend on these numbers.
    const ints = { type: 'int', hash: { buckets: 1_000_003 } };
    const values = int64s([0, 1, -1, 42, 2n ** 53n + 1n]);
    expect(singlesOf(categorical(ints), batchOf({ a: values }))).toEqual([
      147491, 595906, 594703, 807714, 427731,
    ]);
    const texts = { type: 'string', hash: { buckets: 1_000_003, seed: 7 } };
    const words = strings(['', 'a', 'music', 'the quick brown fox jumps over the lazy dog', '视频']);
    expect(singlesOf(categorical(texts), batchOf({ a: words }))).toEqual([
      683049, 878200, 442777, 240429, 202305,
    ]);
  });

  it('hash every value but null and missing ones, which nothing counts as unseen', () => {
    const encoder = encoderOf(categorical({ type: 'int', missingValues: [3], hash: { buckets: 1 } }));
    expect(encoded(encoder, batchOf({ a: int64s([1, 2, 3, null]) })).singles).toEqual([1, 1, 0, 0]);
    expect(encoder.counts).toEqual([{ name: 'a', values: 4, missing: 2, unseen: 0 }]);
    const texts = encoderOf(categorical({ type: 'string', missingValues: ['?'], hash: { buckets: 1 } }));
    expect(encoded(texts, batchOf({ a: strings(['a', '?', null]) })).singles).toEqual([1, 0, 0]);
  });
});

describe('shared tables', () => {
  it('give one value one embedding row in every column', () => {
    const encoder = encoderOf(
      [
        { kind: 'categorical', column: 'town', table: { type: 'string', hash: { buckets: 6 } } },
        { kind: 'categorical', column: 'video', table: 'video' },
        { kind: 'categorical', column: 'source', table: 'video' },
        { kind: 'list', column: 'history', table: 'video', maxLength: 2, keep: 'last' },
      ],
      { video: { type: 'int', ...vocabulary('70', '80') } },
    );
    const batch = batchOf({
      town: strings([null, null]),
      video: int64s([80, 70]),
      source: int64s([70, 1]),
      history: int64Lists([[80, 70], [1]]),
    });
    const { singles, lists } = encoded(encoder, batch);
    expect(singles).toEqual([0, 9, 8, 0, 8, 7]);
    expect(lists).toEqual([8, 9, 0, 0]);
  });
});

describe('numeric features', () => {
  const denseOf = (feature: object, ...values: (number | null)[]) =>
    encoded(encoderOf([{ kind: 'numeric', column: 'a', ...feature }]), batchOf({ a: doubles(values) })).dense;
  const fitted = { mean: 2, standardDeviation: 4, rows: 9 };

  it('standardise, and give value 0 with flag 1 when missing', () => {
    const values = [10, null, NaN, Infinity, -Infinity, -9, 2];
    expect(denseOf({ fitted, missingValues: [-9] }, ...values)).toEqual([
      2, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 0,
    ]);
  });

  it('clip before log1p before standardising', () => {
    const feature = { clip: { min: -1, max: 7 }, log1p: true, fitted };
    const transformed = (x: number) => Math.fround((Math.sign(x) * Math.log(1 + Math.abs(x)) - 2) / 4);
    const dense = denseOf(feature, 100, Infinity, -100, -Infinity, 3);
    expect(dense).toEqual([7, 7, -1, -1, 3].flatMap((x) => [transformed(x), 0]));
  });

  it('look for missing values before clipping', () => {
    expect(denseOf({ standardise: false, clip: { min: 0 }, missingValues: [-1] }, -1, -2, 0)).toEqual([
      0, 1, 0, 0, 0, 0,
    ]);
  });

  const heldBy = (data: Data, ...missingValues: number[]) => {
    const feature = { kind: 'numeric', column: 'a', standardise: false, missingValues };
    return encoded(encoderOf([feature]), batchOf({ a: data })).dense;
  };

  it('find a missing value in a column of float32 as the float32 next to it, as buckets do', () => {
    const column = columnOf(new Float32(), [-0.7, -0.75, null]);
    expect(heldBy(column, -0.7)).toEqual([0, 1, -0.75, 0, 0, 1]);
    const bucketed = { kind: 'bucketed', column: 'a', buckets: 4, fitted: { boundaries: [] } };
    expect(singlesOf([{ ...bucketed, missingValues: [-0.7] }], batchOf({ a: column }))).toEqual([0, 1, 0]);
    expect(heldBy(columnOf(new Float32(), [0]), 1e-50)).toEqual([0, 0]);
  });

  it('find one in a column of float16 as the float16 next to it, an infinity if it is too large', () => {
    // -0.7, -0.75, -3.05, 2, the tie of 2049 and 2 ** -24, all as IEEE 754 rounds them.
    const bits = Uint16Array.of(0xb99a, 0xba00, 0xc21a, 0x4000, 0x6800, 0x0001);
    const column = makeData({ type: new Float16(), data: bits, length: bits.length });
    const others = [-0.75, 0, -3.05078125, 0];
    expect(heldBy(column, -0.7, -99_999, 1.9999, 2049, 5e-8)).toEqual([0, 1, ...others, 0, 1, 0, 1, 0, 1]);
    const clipped = { kind: 'numeric', column: 'a', standardise: false, clip: { min: -9 } };
    const infinite = makeData({ type: new Float16(), data: Uint16Array.of(0xfc00), length: 1 });
    const dense = (missingValues: number[]) =>
      encoded(encoderOf([{ ...clipped, missingValues }]), batchOf({ a: infinite })).dense;
    expect([dense([]), dense([-99_999])]).toEqual([
      [-9, 0],
      [0, 1],
    ]);
  });

  it('find one in a column of integers exactly, in one of float64 as the float32 next to it', () => {
    expect(heldBy(int64s([2 ** 24, 2 ** 24 + 1]), 2 ** 24 + 1)).toEqual([2 ** 24, 0, 0, 1]);
    expect(heldBy(doubles([-0.7, Math.fround(-0.7), -0.75]), -0.7)).toEqual([0, 1, 0, 1, -0.75, 0]);
  });

  it('find any in a column of float16 as the nearest of all float16, ties to the even one', () => {
    const halves = Array.from({ length: 0x7c00 }, (_, bits) => util.uint16ToFloat64(bits));
    const sizes = fc.oneof(
      fc.integer({ min: 0, max: halves.length - 2 }).chain((bits) => {
        const [low, high] = [halves[bits]!, halves[bits + 1]!];
        return fc.constantFrom(0, 0.25, 0.5, 0.75).map((share) => low + share * (high - low));
      }),
      fc.double({ min: 0, max: 1e5, noNaN: true }),
      fc.constantFrom(65_504, 65_519, 65_519.5, 65_520, 65_520.5, 65_521, 65_536),
    );
    fc.assert(
      fc.property(sizes, fc.boolean(), (size, isNegative) => {
        const above = halves.findIndex((half) => half >= size);
        // 0x7c00 is infinity, one step of 32 above the largest number.
        const [low, high] = above < 0 ? [65_504, 65_536] : [halves[above - 1] ?? 0, halves[above]!];
        const highBits = above < 0 ? 0x7c00 : above;
        const isHigh = high - size < size - low || (high - size === size - low && highBits % 2 === 0);
        const nearest = above === 0 ? 0 : isHigh || size >= 65_536 ? highBits : highBits - 1;
        fc.pre(nearest > 0);
        const sign = isNegative ? 0x8000 : 0;
        const bits = Uint16Array.of(nearest - 1 + sign, nearest + sign);
        const data = makeData({ type: new Float16(), data: bits, length: 2 });
        const feature = { kind: 'bucketed', column: 'a', buckets: 2, fitted: { boundaries: [] } };
        const missingValues = [isNegative ? -size : size];
        expect(singlesOf([{ ...feature, missingValues }], batchOf({ a: data }))).toEqual([1, 0]);
      }),
      { numRuns: 500 },
    );
  });

  it('take log1p symmetrically around zero', () => {
    const dense = denseOf({ standardise: false, log1p: true }, Math.E - 1, 1 - Math.E, 0);
    expect(dense).toEqual([1, 0, -1, 0, 0, 0]);
  });

  it('count numbers that float32 can not hold as missing, so that no infinity enters the network', () => {
    expect(denseOf({ standardise: false }, 3.4e38, 3.5e38, -1e300)).toEqual([
      Math.fround(3.4e38),
      0,
      0,
      1,
      0,
      1,
    ]);
    const tiny = { mean: 0, standardDeviation: 1e-30, rows: 2 };
    expect(denseOf({ fitted: tiny }, 1e10, 1e-30)).toEqual([0, 1, 1, 0]);
  });

  it('stand beside each other, each with its flag', () => {
    const feature = { kind: 'numeric', standardise: false };
    const encoder = encoderOf([
      { ...feature, column: 'a' },
      { ...feature, column: 'b' },
    ]);
    const pair = batchOf({ a: doubles([1, null]), b: doubles([3, 4]) });
    expect(encoded(encoder, pair).dense).toEqual([1, 0, 3, 0, 0, 1, 4, 0]);
  });

  it('count rows and missing values', () => {
    const encoder = encoderOf([{ kind: 'numeric', column: 'a', fitted }]);
    encoded(encoder, batchOf({ a: doubles([1, null, NaN]) }));
    expect(encoder.counts).toEqual([{ name: 'a', values: 3, missing: 2, unseen: 0 }]);
  });
});

describe('bucketed features', () => {
  const rowsOf = (boundaries: number[], ...values: (number | null)[]) =>
    singlesOf(
      [{ kind: 'bucketed', column: 'a', buckets: 4, missingValues: [-1], fitted: { boundaries } }],
      batchOf({ a: doubles(values) }),
    );

  it('give bucket i + 1 to (boundaries[i - 1], boundaries[i]], and row 0 to missing values', () => {
    const values = [9, 10, 10.1, 20, 21, -Infinity, Infinity, null, NaN, -1];
    expect(rowsOf([10, 20], ...values)).toEqual([1, 1, 2, 2, 3, 1, 3, 0, 0, 0]);
  });

  it('give all values of a constant column one row', () => {
    expect(rowsOf([], 5, 7, null)).toEqual([1, 1, 0]);
  });

  it('follow the categorical columns and count missing values', () => {
    const encoder = encoderOf([
      { kind: 'bucketed', column: 'b', buckets: 2, fitted: { boundaries: [0] } },
      { kind: 'categorical', column: 'a', table: { type: 'int', ...vocabulary('4') } },
    ]);
    const batch = batchOf({ a: int64s([4, 5]), b: doubles([1, null]) });
    expect(encoded(encoder, batch).singles).toEqual([3 + 1, 2, 3, 0]);
    expect(encoder.counts).toEqual([
      { name: 'a', values: 2, missing: 0, unseen: 1 },
      { name: 'b', values: 2, missing: 1, unseen: 0 },
    ]);
  });
});
