import { Float64, Int32, makeData } from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { NumberBins } from '../../lib/features/binCounter.ts';
import type { NumericFeature } from '../../lib/features/contract.ts';
import { FeatureNumbers } from '../../lib/features/featureNumbers.ts';

const RAW: NumericFeature = {
  ...{ kind: 'numeric', column: 'n', required: true, missingValues: [], log1p: false, standardise: false },
  precision: 'float64',
};
const STANDARD = {
  standardise: true,
  fitted: { mean: 0.4375123, standardDeviation: 1.7 },
} as Partial<NumericFeature>;

function encoded(feature: NumericFeature, values: Float64Array, ends: readonly number[] = []) {
  const type = new Float64();
  const numbers = new FeatureNumbers(feature, type);
  const data = makeData({ type, length: values.length, data: values });
  const into = { inputs: new Float32Array(values.length), bins: new Uint8Array(values.length) };
  const haveMissing = numbers.encode(data, 0, values.length, ends, into);
  return { ...into, haveMissing };
}

/** As it is written down for one number. */
function expectedOf(feature: NumericFeature, values: Float64Array, ends: readonly number[] = []) {
  const numbers = new FeatureNumbers(feature, new Float64());
  const { mean, standardDeviation } = (feature.standardise && feature.fitted) || {
    mean: 0,
    standardDeviation: 1,
  };
  const inputs = Float32Array.from(values, (raw) => {
    const input = Math.fround((numbers.preTransform(raw) - mean) / standardDeviation);
    return Number.isFinite(input) ? input : Number.NaN;
  });
  const bins = new Uint8Array(values.length);
  const haveMissing = new NumberBins(ends).find(inputs, inputs.length, bins);
  return { inputs: inputs.map((input) => (Number.isNaN(input) ? 0 : input)), bins, haveMissing };
}

function bitsOf(inputs: Float32Array): Int32Array {
  return new Int32Array(inputs.buffer, inputs.byteOffset, inputs.length);
}

function expectSame(feature: NumericFeature, values: Float64Array, ends: readonly number[] = []): void {
  const found = encoded(feature, values, ends);
  const expected = expectedOf(feature, values, ends);
  const [bits, expectedBits] = [bitsOf(found.inputs), bitsOf(expected.inputs)];
  const other = bits.findIndex((each, at) => each !== expectedBits[at]);
  expect(values[other]).toBeUndefined();
  expect(Buffer.compare(found.bins, expected.bins)).toBe(0);
  expect(found.haveMissing).toBe(expected.haveMissing);
}

/** Float64 of all exponents, both signs, infinities and NaN. */
function anyNumbers(count: number, random: RandomStream): Float64Array {
  const words = Uint32Array.from({ length: 2 * count }, () => random.nextBelow(2 ** 32));
  return new Float64Array(words.buffer);
}

/** Neighbours of places where log1p takes another branch. */
const EDGES = [
  ...[0, 2 ** -1074, 2 ** -1022, 2 ** -55, 2 ** -54, 2 ** -29, 2 ** -20, 0.41421353816986084],
  ...[Math.SQRT2 - 1, 0.5, 1 - 2 ** -53, 1, 3, 7, 2 ** 20 - 1, 2 ** 52, 2 ** 53, 2 ** 54, 2 ** 1023],
  ...[2 * Math.SQRT2 - 1, 2 ** 31 * Math.SQRT2 - 1, Number.MAX_VALUE, Number.POSITIVE_INFINITY, Number.NaN],
];

function nearEdges(): Float64Array {
  const bits = EDGES.flatMap((edge) => {
    const [place] = new BigInt64Array(Float64Array.of(edge).buffer);
    return Array.from({ length: 2001 }, (_, at) => place! + BigInt(at) - 1000n);
  });
  const positive = new Float64Array(BigInt64Array.from(bits).buffer);
  return Float64Array.from([...positive, ...positive.map((value) => -value)]);
}

describe('numeric features, encoded many at a time', () => {
  const random = new RandomStream(5);
  const usual = Float64Array.from({ length: 400_000 }, () => Math.exp(3 * random.nextNormal()));
  const counts = Float64Array.from({ length: 10_000 }, (_, at) => at - 100);

  for (const [name, feature] of Object.entries({
    'as they are': RAW,
    'by log1p': { ...RAW, log1p: true },
    'by log1p, standardised': { ...RAW, ...STANDARD, log1p: true },
    'clipped, by log1p, standardised': { ...RAW, ...STANDARD, log1p: true, clip: { min: -2.5, max: 40 } },
  }) as [string, NumericFeature][]) {
    it(`have the bits that JavaScript and Math.log1p give each of them: ${name}`, () => {
      expectSame(feature, usual);
      expectSame(feature, counts);
      expectSame(feature, anyNumbers(400_000, random));
      expectSame(feature, nearEdges());
    });
  }

  it('have all 53 bits of Math.log1p, which their difference from a neighbour shows in float32', () => {
    // From 2^-30 to 2^60, and where 1 + x is about a power of 2 or half a power away from one: there other branches are taken.
    const bases = Array.from({ length: 1500 }, () => 2 ** (90 * random.nextUniform() - 30));
    for (let power = 1; power < 40; power++) {
      for (let round = 0; round < 12; round++) {
        const aside = 2 ** -17 * (random.nextUniform() - 0.5);
        bases.push(2 ** power * (1 + aside) - 1, 2 ** power * (Math.SQRT1_2 + aside) - 1);
      }
    }
    // The first that aren't small, by the upper half of their bits alone.
    for (let round = 0; round < 12; round++) {
      const bits = (0x3fda827an << 32n) | BigInt(Math.floor(2 ** 32 * random.nextUniform()));
      bases.push(new Float64Array(BigInt64Array.of(bits).buffer)[0]!);
    }
    for (const base of bases) {
      const fitted = { mean: Math.log1p(base), standardDeviation: 1, rows: 1 };
      const near = Float64Array.from({ length: 100 }, () => base * (1 + 2 ** -24 * random.nextUniform()));
      expectSame({ ...RAW, log1p: true, standardise: true, fitted }, near);
    }
  });

  it('have the bins that a search gives them, also at ends that float32 can not hold', () => {
    const values = Float64Array.of(
      ...[0.1, 0.2, Math.fround(0.1), Math.fround(0.2), -0.1, Math.fround(-0.1), 0, -0, 1, -1, Number.NaN],
      ...[-(2 ** -149), 2 ** -149, 3e38, -3e38, 1e39],
    );
    const ends = [-3e38, -1, -0.1, -1e-50, 1e-50, 0.1, 0.2, 0.7, 3e38];
    expectSame(RAW, values, ends);
    expectSame({ ...RAW, ...STANDARD }, anyNumbers(50_000, random), ends);
    const many = Array.from({ length: 253 }, (_, at) => at / 17 - 7);
    expectSame({ ...RAW, log1p: true }, usual.subarray(0, 20_000), many);
  });

  it('are as many as there are, with nothing behind them, and are missing only where one of them is', () => {
    for (const count of [0, 1, 2, 3, 4, 5, 4095, 4096, 4097, 9001]) {
      expectSame({ ...RAW, log1p: true }, usual.subarray(0, count), [0.5]);
      if (count === 0) continue;
      const last = usual.slice(0, count);
      last[count - 1] = Number.NaN;
      expectSame(RAW, last, [0.5]);
    }
    encoded(RAW, new Float64Array(4).fill(Number.NaN));
    expect(encoded(RAW, usual.subarray(0, 2)).haveMissing).toBe(false);
    const numbers = new FeatureNumbers(RAW, new Int32());
    const data = makeData({ type: new Int32(), length: 5, data: Int32Array.of(1, 2, 3, 4, 5) });
    const into = { inputs: new Float32Array(4).fill(-9), bins: new Uint8Array(4).fill(99) };
    numbers.encode(data, 1, 4, [2.5], into);
    expect([...into.inputs]).toEqual([2, 3, 4, -9]);
    expect([...into.bins]).toEqual([0, 1, 1, 99]);
  });
});
