import { type Data, Decimal, Float32, Int32, makeData } from 'apache-arrow';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseContract } from '../../lib/features/contract.ts';
import { fitContract } from '../../lib/features/fitContract.ts';
import { batchOf, columnOf, doubles, streamOf } from './arrowBatches.ts';
import { encoded, encoderOf } from './encodeBatch.ts';

/** A number as a person writes it, `unscaled / 10^scale`, or null. */
type Written = bigint | null;

/** The same numbers as columns of float64, float32 and decimal128: each the nearest that its type holds. */
function columnsOf(written: readonly Written[], scale: number): Data[] {
  const nearest = written.map((unscaled) => (unscaled === null ? null : Number(`${unscaled}e-${scale}`)));
  const words = new Uint32Array(4 * written.length);
  written.forEach((unscaled, row) => {
    for (let word = 0; word < 4; word++) {
      words[4 * row + word] = Number(BigInt.asUintN(32, (unscaled ?? 0n) >> BigInt(32 * word)));
    }
  });
  const { nullBitmap, nullCount } = doubles(nearest);
  const type = new Decimal(scale, 38, 128);
  return [
    doubles(nearest),
    columnOf(new Float32(), nearest),
    makeData({ type, length: written.length, nullCount, nullBitmap, data: words }),
  ];
}

const scales = fc.integer({ min: 0, max: 30 });
const writtenNumbers = (least: number) =>
  fc.array(
    fc.oneof(
      fc.bigInt({ min: -1000n, max: 1000n }),
      fc.bigInt({ min: -(10n ** 18n), max: 10n ** 18n }),
      fc.bigInt({ min: -(10n ** 37n), max: 10n ** 37n }),
      fc.constant(null),
    ),
    { minLength: least, maxLength: 40, size: 'max' },
  );

describe('columns of float64, float32 and decimals with the same numbers', () => {
  it('are encoded alike, whichever of the numbers are boundaries, clips and missing values', () => {
    fc.assert(
      fc.property(
        scales,
        writtenNumbers(4),
        fc.boolean(),
        fc.boolean(),
        (scale, written, log1p, standardise) => {
          const columns = columnsOf(written, scale);
          const numbers = [...new Set(written.filter((unscaled) => unscaled !== null))]
            .map((unscaled) => Number(`${unscaled}e-${scale}`))
            .sort((a, b) => a - b);
          fc.pre(new Set(numbers).size === numbers.length && numbers.length > 3);
          const [missing, min, ...rest] = numbers;
          const max = rest.at(-1)!;
          const encoder = encoderOf([
            {
              kind: 'bucketed',
              column: 'a',
              name: 'b',
              buckets: 50,
              missingValues: [missing],
              fitted: { boundaries: rest },
            },
            {
              kind: 'numeric',
              column: 'a',
              missingValues: [missing],
              clip: { min, max },
              log1p,
              standardise,
              fitted: { mean: 0.3, standardDeviation: 0.7, rows: 9 },
            },
          ]);
          const [expected, ...others] = columns.map((data) => encoded(encoder, batchOf({ a: data })));
          for (const other of others) expect(other).toEqual(expected);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('fit the same contract, bit for bit', async () => {
    const contract = parseContract({
      contractVersion: 1,
      rowKeys: ['id'],
      features: [
        { kind: 'bucketed', column: 'a', name: 'b', buckets: 7, missingValues: [0.1] },
        { kind: 'numeric', column: 'a', missingValues: [0.1], clip: { min: -0.7, max: 1e9 }, log1p: true },
      ],
    });
    await fc.assert(
      fc.asyncProperty(scales, writtenNumbers(1), async (scale, written) => {
        const [expected, ...others] = await Promise.all(
          columnsOf(written, scale).map((data) => fitContract(contract, streamOf(batchOf({ a: data })))),
        );
        for (const other of others) expect(other).toEqual(expected);
      }),
      { numRuns: 200 },
    );
  });

  it('stand in the bucket that ends at their boundary', () => {
    const boundaries = [0.1, 0.3, 0.7];
    const encoder = encoderOf([{ kind: 'bucketed', column: 'a', buckets: 4, fitted: { boundaries } }]);
    for (const data of columnsOf([1n, 2n, 3n, 7n, 8n, null], 1)) {
      expect(encoded(encoder, batchOf({ a: data })).singles).toEqual([1, 2, 2, 3, 4, 0]);
    }
  });

  it('lose what float32 can not hold alike: too small is 0, too large is an infinity', () => {
    const feature = { kind: 'numeric', column: 'a', standardise: false };
    const largest = -Number.MAX_VALUE;
    const [wide, narrow] = [doubles([1e-50, largest, 0]), columnOf(new Float32(), [1e-50, largest, 0])];
    for (const data of [wide, narrow]) {
      const dense = (more: object) =>
        encoded(encoderOf([{ ...feature, ...more }]), batchOf({ a: data })).dense;
      expect(dense({ missingValues: [1e-50] })).toEqual([0, 0, 0, 1, 0, 0]);
      expect(dense({ clip: { min: -5 } })).toEqual([0, 0, -5, 0, 0, 0]);
      expect(dense({ clip: { min: -5 }, missingValues: [largest] })).toEqual([0, 0, 0, 1, 0, 0]);
    }
  });
});

describe('what is not rounded', () => {
  const boundaries = [2 ** 24, 2 ** 24 + 1];
  const bucketed = { kind: 'bucketed', column: 'a', buckets: 3, fitted: { boundaries } };

  it('are integers, and what they are compared with', () => {
    const data = columnOf(new Int32(), [2 ** 24, 2 ** 24 + 1, 2 ** 24 + 2]);
    expect(encoded(encoderOf([bucketed]), batchOf({ a: data })).singles).toEqual([1, 2, 3]);
    const clipped = { kind: 'numeric', column: 'a', standardise: true, clip: { max: 2 ** 24 + 1 } };
    const fitted = { mean: 2 ** 24, standardDeviation: 1, rows: 1 };
    expect(encoded(encoderOf([{ ...clipped, fitted }]), batchOf({ a: data })).dense).toEqual([
      0, 0, 1, 0, 1, 0,
    ]);
  });

  it('are float64 and decimal columns of a feature that declares its precision', () => {
    const declared = { ...bucketed, precision: 'float64' };
    const written = [2n ** 24n, 2n ** 24n + 1n, 2n ** 24n + 2n];
    const [wide, , decimal] = columnsOf(written, 0);
    for (const data of [wide!, decimal!]) {
      expect(encoded(encoderOf([declared]), batchOf({ a: data })).singles).toEqual([1, 2, 3]);
      expect(encoded(encoderOf([bucketed]), batchOf({ a: data })).singles).toEqual([1, 1, 3]);
    }
    const missing = { ...declared, missingValues: [-0.7] };
    const near = doubles([-0.7, Math.fround(-0.7)]);
    expect(encoded(encoderOf([missing]), batchOf({ a: near })).singles).toEqual([0, 1]);
    const clipped = { kind: 'numeric', column: 'a', clip: { max: 2 ** 24 + 1 }, precision: 'float64' };
    const fitted = { mean: 2 ** 24, standardDeviation: 1, rows: 1 };
    expect(encoded(encoderOf([{ ...clipped, fitted }]), batchOf({ a: wide! })).dense).toEqual([
      0, 0, 1, 0, 1, 0,
    ]);
  });

  it('are the fingerprints of contracts that declare nothing: only float64 can be declared', () => {
    const document = (more: object) => ({
      contractVersion: 1,
      rowKeys: ['id'],
      features: [{ ...bucketed, ...more }],
    });
    expect(parseContract(document({})).features[0]).not.toHaveProperty('precision');
    expect(parseContract(document({ precision: 'float64' })).features[0]).toHaveProperty(
      'precision',
      'float64',
    );
    expect(() => parseContract(document({ precision: 'float32' }))).toThrow('features.0.precision');
  });
});
