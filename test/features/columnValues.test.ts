import {
  Bool,
  type Data,
  Decimal,
  Float16,
  Float32,
  Int8,
  Int16,
  Int32,
  Int64,
  makeData,
  Null,
  Uint8,
  Uint16,
  Uint32,
  Uint64,
} from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import { isValid } from '../../lib/base/arrowColumns.ts';
import { IntScratch, readIntegers, readNumbers } from '../../lib/features/columnValues.ts';
import { type NumericFeature, parseContract } from '../../lib/features/contract.ts';
import { FeatureNumbers } from '../../lib/features/featureNumbers.ts';
import { columnOf, doubles, int64s } from './arrowBatches.ts';

function numbersOf(data: Data, start = 0, end = data.length): number[] {
  const into = new Float64Array(end - start).fill(-777);
  readNumbers(data, start, end, into);
  return [...into];
}

function integersOf(data: Data, start = 0, end = data.length): bigint[] {
  const scratch = new IntScratch();
  scratch.ensure(end - start + 3);
  scratch.highs.fill(-777);
  readIntegers(data, start, end, scratch);
  return Array.from(
    { length: end - start },
    (_, i) => (BigInt(scratch.highs[i]!) << 32n) | BigInt(scratch.lows[i]! >>> 0),
  );
}

/** decimal(38, scale) from unscaled integers. */
function decimals(unscaled: readonly bigint[], scale: number): Data {
  const words = new Uint32Array(4 * unscaled.length);
  unscaled.forEach((value, row) => {
    for (let word = 0; word < 4; word++) {
      words[4 * row + word] = Number(BigInt.asUintN(32, value >> BigInt(32 * word)));
    }
  });
  return makeData({ type: new Decimal(scale, 38, 128), length: unscaled.length, nullCount: 0, data: words });
}

describe('readIntegers and readNumbers', () => {
  const cases: [string, Data, bigint[]][] = [
    ['int8', columnOf(new Int8(), [-128, -1, 0, 127]), [-128n, -1n, 0n, 127n]],
    ['int16', columnOf(new Int16(), [-32768, -1, 0, 32767]), [-32768n, -1n, 0n, 32767n]],
    [
      'int32',
      columnOf(new Int32(), [-(2 ** 31), -1, 0, 2 ** 31 - 1]),
      [-(2n ** 31n), -1n, 0n, 2n ** 31n - 1n],
    ],
    ['int64', int64s([-(2n ** 63n), -1n, 2n ** 40n, 2n ** 52n]), [-(2n ** 63n), -1n, 2n ** 40n, 2n ** 52n]],
    ['uint8', columnOf(new Uint8(), [0, 1, 128, 255]), [0n, 1n, 128n, 255n]],
    ['uint16', columnOf(new Uint16(), [0, 1, 2 ** 15, 65535]), [0n, 1n, 2n ** 15n, 65535n]],
    ['uint32', columnOf(new Uint32(), [0, 1, 2 ** 31, 2 ** 32 - 1]), [0n, 1n, 2n ** 31n, 2n ** 32n - 1n]],
    ['uint64', columnOf(new Uint64(), [0n, 1n, 2n ** 32n, 2n ** 52n]), [0n, 1n, 2n ** 32n, 2n ** 52n]],
    ['bool', columnOf(new Bool(), [true, false, true, true]), [1n, 0n, 1n, 1n]],
  ];

  it.each(cases)('read %s with its sign, whole and sliced', (_, data, expected) => {
    expect(integersOf(data)).toEqual(expected);
    expect(integersOf(data, 1, 3)).toEqual(expected.slice(1, 3));
    expect(integersOf(data.slice(1, 3), 1, 3)).toEqual(expected.slice(2, 4));
    expect(numbersOf(data)).toEqual(expected.map(Number));
    expect(numbersOf(data.slice(1, 3), 1, 3)).toEqual(expected.slice(2, 4).map(Number));
  });

  it("read uint64 above 2^63 as an unsigned number, and as the id of its two's complement", () => {
    const data = columnOf(new Uint64(), [2n ** 63n, 2n ** 64n - 1n]);
    expect(numbersOf(data)).toEqual([2 ** 63, 2 ** 64]);
    expect(integersOf(data)).toEqual([-(2n ** 63n), -1n]);
  });

  it('round int64 beyond 2^53 to the nearest double', () => {
    const values = [2n ** 53n + 1n, 2n ** 62n + 12345n, -(2n ** 53n) - 3n];
    expect(numbersOf(int64s(values))).toEqual(values.map(Number));
  });

  it('read float16 with subnormals, infinities and NaN', () => {
    const halves = Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7bff, 0x7c00, 0xfc00, 0x7e00, 0x8000);
    const data = makeData({ type: new Float16(), length: halves.length, nullCount: 0, data: halves });
    const expected = [1, -2, 2 ** -24, 65504, Infinity, -Infinity, NaN, -0];
    expect(numbersOf(data)).toEqual(expected);
    expect(numbersOf(data.slice(3, 4), 1, 3)).toEqual([Infinity, -Infinity]);
  });

  it('read float32 and float64', () => {
    expect(numbersOf(columnOf(new Float32(), [0.1, -3.5]))).toEqual([Math.fround(0.1), -3.5]);
    expect(numbersOf(doubles([0.1, 1e300]).slice(1, 1))).toEqual([1e300]);
  });

  it('read decimal128 as its scaled value, negative ones and those wider than 64 bits too', () => {
    const data = decimals([12345n, -12345n, -1n, 10n ** 30n], 2);
    expect(numbersOf(data)).toEqual([123.45, -123.45, -0.01, 1e28]);
    expect(numbersOf(data.slice(1, 3), 1, 2)).toEqual([-0.01]);
    // 10^23 is no float64: divided by the one next to it, both would be their neighbours.
    expect(numbersOf(decimals([10n ** 17n, 1n], 23))).toEqual([1e-6, 1e-23]);
  });

  it('give NaN for nulls only, also when the validity bitmap starts within a byte', () => {
    const values = Array.from({ length: 40 }, (_, row) => (row % 3 === 0 ? null : row));
    const expected = values.map((value) => value ?? Number.NaN);
    for (const offset of [0, 1, 7, 8, 13]) {
      const sliced = doubles(values).slice(offset, 20);
      expect(numbersOf(sliced)).toEqual(expected.slice(offset, offset + 20));
      expect(numbersOf(sliced, 5, 12)).toEqual(expected.slice(offset + 5, offset + 12));
      expect(isValid(sliced, 2)).toBe((offset + 2) % 3 !== 0);
    }
    expect(numbersOf(columnOf(new Bool(), [true, null, false]).slice(1, 2))).toEqual([NaN, 0]);
    expect(numbersOf(columnOf(new Int64(), [null, 4n]))).toEqual([NaN, 4]);
  });

  it('read booleans and their nulls beyond the first bytes of the bitmaps', () => {
    const flags = Array.from({ length: 70 }, (_, row) => (row % 11 === 0 ? null : row % 3 === 0));
    const expected = flags.map((flag) => (flag === null ? Number.NaN : Number(flag)));
    const data = columnOf(new Bool(), flags);
    expect(numbersOf(data)).toEqual(expected);
    expect(numbersOf(data.slice(9, 60), 10, 55)).toEqual(expected.slice(19, 64));
  });

  it.each([
    ...cases.map(([name, data]) => [name, data] as const),
    ['float16', makeData({ type: new Float16(), data: new Uint16Array(4), length: 4 })] as const,
    ['float64', doubles([1, null, null, null])] as const,
    ['decimal', decimals([1n, 2n, 3n, 4n], 0)] as const,
    ['null', makeData({ type: new Null(), length: 4 })] as const,
  ])('write the rows asked for of %s and nothing beyond', (name, data) => {
    const into = new Float64Array(3).fill(-777);
    readNumbers(data, 1, 2, into);
    expect([...into.subarray(1)]).toEqual([-777, -777]);
    const { features } = parseContract({
      contractVersion: 1,
      rowKeys: ['id'],
      features: [{ kind: 'numeric', column: 'a', missingValues: [-777] }],
    });
    new FeatureNumbers(features[0] as NumericFeature, data.type).read(data, 1, 2, into);
    expect([...into.subarray(1)]).toEqual([-777, -777]);
    if (['float16', 'float64', 'decimal'].includes(name)) return;
    const scratch = new IntScratch();
    scratch.ensure(3);
    for (const half of [scratch.lows, scratch.highs]) half.fill(-777);
    readIntegers(data, 1, 2, scratch);
    expect([...scratch.lows.subarray(1), ...scratch.highs.subarray(1)]).toEqual([-777, -777, -777, -777]);
  });

  it('read a column of type null as nulls', () => {
    const data = makeData({ type: new Null(), length: 3 });
    expect(numbersOf(data)).toEqual([NaN, NaN, NaN]);
    expect(isValid(data, 1)).toBe(false);
  });
});
