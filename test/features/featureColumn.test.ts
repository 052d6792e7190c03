import {
  Binary,
  type Data,
  Decimal,
  FixedSizeBinary,
  Float16,
  Float32,
  Float64,
  makeData,
  type RecordBatch,
} from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import { fitContract } from '../../lib/features/fitContract.ts';
import { placed, UnreadableValueError } from '../../lib/features/unreadableValue.ts';
import {
  batchOf,
  columnOf,
  doubles,
  indexed,
  int64Lists,
  int64s,
  listOf,
  streamOf,
  strings,
} from './arrowBatches.ts';
import { encoded, encoderOf, vocabulary } from './encodeBatch.ts';
import { fittedContract } from './fittedVocabularies.ts';

const int = (own: object) => ({ kind: 'categorical', column: 'a', table: { type: 'int', ...own } });
const text = (own: object, more: object = {}) => ({
  ...{ kind: 'categorical', column: 'a', table: { type: 'string', ...own } },
  ...more,
});
const TABLES = [
  vocabulary('7', '-3', '0', '9007199254740991'),
  { hash: { buckets: 1000 } },
  { ...vocabulary('7'), missingValues: [-3] },
];
const encodedWith = (feature: object, column: Data) => encoded(encoderOf([feature]), batchOf({ a: column }));

function errorOf(feature: object, batch: RecordBatch): UnreadableValueError {
  try {
    encoded(encoderOf([feature]), batch);
  } catch (error) {
    if (error instanceof UnreadableValueError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

/** Unscaled values of 128 bits. */
function decimals(values: readonly bigint[], scale: number): Data {
  const words = values.flatMap((value) =>
    [0n, 32n, 64n, 96n].map((shift) => Number(BigInt.asUintN(32, value >> shift))),
  );
  const type = new Decimal(scale, 38, 128);
  return makeData({ type, length: values.length, nullCount: 0, data: Uint32Array.from(words) });
}

describe('ids in columns of floats', () => {
  const values = [7, null, -3, 0, 2 ** 53 - 1, 8, -0];
  const integers = int64s(values.map((value) => (value === null ? null : BigInt(value))));

  it.each(TABLES)('are the integers that they stand for, in any table: %j', (table) => {
    const expected = encodedWith(int(table), integers);
    expect(encodedWith(int(table), doubles(values))).toEqual(expected);
    expect(encodedWith(int(table), indexed(doubles(values)))).toEqual(expected);
    const small = [7, null, -3, 0];
    const ofSmall = encodedWith(int(table), int64s(small));
    for (const type of [new Float32(), new Float16()]) {
      expect(encodedWith(int(table), columnOf(type, small))).toEqual(ofSmall);
    }
  });

  it('are the same in lists, with nulls and without, whole and cut', () => {
    const lists = [[7, -3], null, [], [0, null, 8], [7]];
    const feature = (own: object) => ({ ...int(own), kind: 'list', maxLength: 3, keep: 'last' });
    const floats = columnOf(listOf(new Float64()), lists);
    for (const table of TABLES) {
      const expected = encodedWith(feature(table), int64Lists(lists));
      expect(encodedWith(feature(table), floats)).toEqual(expected);
      expect(encodedWith(feature(table), indexed(floats))).toEqual(expected);
      expect(encodedWith(feature(table), floats.slice(2, 3))).toEqual(
        encodedWith(feature(table), int64Lists(lists).slice(2, 3)),
      );
    }
  });

  it('are missing where they are NaN, as they are where they are null', () => {
    const encoder = encoderOf([int(vocabulary('7'))]);
    const column = makeData({ type: new Float64(), data: Float64Array.of(7, Number.NaN, 7) });
    expect(encoded(encoder, batchOf({ a: column })).singles).toEqual([1, 0, 1]);
    expect(encoder.counts).toEqual([{ name: 'a', values: 3, missing: 1, unseen: 0 }]);
  });

  it('fit the vocabulary of the same integers, lists too', async () => {
    const { contract } = fittedContract({
      ...{ contractVersion: 1, rowKeys: ['id'] },
      features: [
        int({ vocabulary: { minCount: 2 } }),
        { ...int({ vocabulary: {} }), kind: 'list', column: 'b', maxLength: 2, keep: 'last' },
      ],
    });
    const ids = [5, 5, null, 9, 9, 9, 4];
    const lists = [[1], [2, null, 1], null, [], [3], [3], [3]];
    const floats = { a: doubles(ids), b: columnOf(listOf(new Float64()), lists) };
    const found = await fitContract(contract, streamOf(batchOf(floats)));
    expect(found).toEqual(
      await fitContract(contract, streamOf(batchOf({ a: int64s(ids), b: int64Lists(lists) }))),
    );
    expect(found.contract.features[0]).toMatchObject({ table: { vocabulary: { fitted: { entries: 2 } } } });
  });

  it.each([1.5, -0.25, 2 ** 53, -(2 ** 53), Number.POSITIVE_INFINITY, 1e300])(
    'are refused with row and value where they are no whole number that a float64 tells from its neighbours: %d',
    (value) => {
      const columns = [doubles([1, 2, value, 3]), indexed(doubles([1, 2, value, 3]))];
      const lists = columnOf(listOf(new Float64()), [[1, 2], [], [4, value], [3]]);
      const ofList = { ...int(vocabulary('1')), kind: 'list', maxLength: 1, keep: 'first' };
      for (const [feature, column, row] of [
        ...columns.map((each) => [int(vocabulary('1')), each, 2] as const),
        [ofList, lists, 2] as const,
        [ofList, indexed(lists), 2] as const,
        [ofList, lists.slice(1, 3), 1] as const,
        [ofList, indexed(lists, 8).slice(1, 3), 1] as const,
      ]) {
        const error = errorOf(feature, batchOf({ a: column }));
        expect([error.code, error.location.column, error.row, error.found]).toEqual([
          ...['SHARD_ID_INVALID', 'a', row],
          String(value),
        ]);
      }
    },
  );

  it('are looked at only where a row has them: not in the slot of a null, a list of another batch, a dictionary', () => {
    const stale = doubles([1, null, 1]);
    stale.values[1] = 0.5;
    expect(encodedWith(int(vocabulary('1')), stale).singles).toEqual([1, 0, 1]);
    const lists = columnOf(listOf(new Float64()), [[0.5], [1], [0.5]]).slice(1, 1);
    const ofList = { ...int(vocabulary('1')), kind: 'list', maxLength: 1, keep: 'first' };
    expect(encodedWith(ofList, lists).lists).toEqual([1]);
    const dictionary = indexed(doubles([1, 0.5, 1, 1]));
    expect(encodedWith(int(vocabulary('1')), dictionary.slice(2, 2)).singles).toEqual([1, 1]);
    expect(errorOf(int(vocabulary('1')), batchOf({ a: dictionary.slice(1, 2) })).row).toBe(0);
  });

  it('tell where they stand, once a reader knows', () => {
    const place = { file: 'data/part-0.parquet', rowGroup: 3, rowStart: 1000 };
    const encode = () => placed(place, () => encodedWith(int(vocabulary('1')), doubles([1, 2.5])));
    expect(encode).toThrow(
      /^SHARD_ID_INVALID: data\/part-0\.parquet, row group 3, column 'a': row 1001 of the shard has no usable id \(expected a whole number between -2\^53 and 2\^53, found 2\.5\)$/,
    );
    expect(() => placed(place, () => encodedWith(int(vocabulary('1')), strings(['1'])))).toThrow(
      expect.objectContaining({ code: 'CONTRACT_COLUMN_TYPE' }),
    );
  });
});

describe('ids in columns of decimals', () => {
  it('are the integers that they stand for, to the last of 63 bits, where they have no digits behind the point', () => {
    const values = ['12', '-5', `${2n ** 53n + 1n}`, `${2n ** 63n - 1n}`, `${-(2n ** 63n)}`];
    const ids = int(vocabulary(...values));
    const column = decimals([...values.map(BigInt), 3n, 2n ** 53n], 0);
    expect(encodedWith(ids, column).singles).toEqual([1, 2, 3, 4, 5, 0, 0]);
    expect(encodedWith(ids, indexed(column)).singles).toEqual([1, 2, 3, 4, 5, 0, 0]);
    expect(encodedWith(ids, column.slice(2, 2)).singles).toEqual([3, 4]);
    for (const beyond of [2n ** 63n, -(2n ** 63n) - 1n, 2n ** 64n + 12n]) {
      const { row, found, expected } = errorOf(ids, batchOf({ a: decimals([12n, beyond], 0) }));
      expect([row, found, expected]).toEqual([
        ...[1, String(beyond)],
        'a whole number between -2^63 and 2^63',
      ]);
    }
    expect(() => encodedWith(ids, decimals([1200n], 2))).toThrow(
      expect.objectContaining({ code: 'CONTRACT_COLUMN_TYPE' }),
    );
  });
});

describe('bytes as text', () => {
  const uuid = '0123abcd-4567-89ef-0f1e-2d3c4b5a6978';
  const bytesOf = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll('-', ''), 'hex'));
  const fixed = (width: number, values: readonly (Uint8Array | null)[]) =>
    columnOf(new FixedSizeBinary(width), values);

  it('are a UUID as it is written where a column has 16 of them, and hexadecimal digits elsewhere', () => {
    const tables = [vocabulary(uuid, 'ff00'), { hash: { buckets: 1000 } }];
    for (const table of tables) {
      const expected = encodedWith(text(table), strings([null, uuid]));
      expect(encodedWith(text(table), fixed(16, [null, bytesOf(uuid)]))).toEqual(expected);
      const short = encodedWith(text(table), strings(['ff00', '0102', null]));
      expect(encodedWith(text(table), fixed(2, [bytesOf('ff00'), bytesOf('0102'), null]))).toEqual(short);
    }
    expect(encodedWith(text(tables[0]!), fixed(16, [bytesOf(uuid)])).singles).toEqual([1]);
  });

  it('are digits without hyphens, of one length or of several, where the feature says hex', () => {
    const feature = text(vocabulary(uuid.replaceAll('-', ''), 'ff', ''), { from: 'hex' });
    expect(encodedWith(feature, fixed(16, [bytesOf(uuid), null])).singles).toEqual([1, 0]);
    const bytes = columnOf(new Binary(), [bytesOf('ff'), bytesOf(''), null, bytesOf(uuid)]);
    expect(encodedWith(feature, bytes).singles).toEqual([2, 3, 0, 1]);
    expect(encodedWith(feature, indexed(bytes).slice(1, 3)).singles).toEqual([3, 0, 1]);
    expect(() => encodedWith(feature, strings(['ff']))).toThrow(/expected a bytes column/);
  });

  it('are still UTF-8 where their length differs and nothing is declared', () => {
    const bytes = columnOf(new Binary(), [Buffer.from('é'), bytesOf('ff')]);
    expect(encodedWith(text(vocabulary('é', 'ff')), bytes).singles).toEqual([1, 0]);
  });

  it('are the same in lists', () => {
    const feature = { ...text(vocabulary('ff00')), kind: 'list', maxLength: 2, keep: 'first' };
    const lists = columnOf(listOf(new FixedSizeBinary(2)), [[bytesOf('ff00')], null, [bytesOf('0102')]]);
    expect(encodedWith(feature, lists)).toEqual(
      encodedWith(feature, columnOf(listOf(strings([]).type), [['ff00'], null, ['0102']])),
    );
  });
});
