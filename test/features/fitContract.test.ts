import { Binary, Float32, makeData, Null, type RecordBatch } from 'apache-arrow';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ContractError } from '../../lib/base/errors.ts';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { checkVocabulary } from '../../lib/features/checkVocabulary.ts';
import { contractFingerprint, type FeatureContract, parseContract } from '../../lib/features/contract.ts';
import { tableOf } from '../../lib/features/featureLayout.ts';
import { fitContract } from '../../lib/features/fitContract.ts';
import {
  batchOf,
  columnOf,
  doubles,
  int64Lists,
  int64s,
  streamOf,
  stringLists,
  strings,
} from './arrowBatches.ts';
import { valuesOfFeature } from './fittedVocabularies.ts';

function contractOf(features: readonly object[], tables: object = {}): FeatureContract {
  return parseContract({ contractVersion: 1, rowKeys: ['id'], tables, features });
}

const intColumn = (vocabulary: object = {}, missingValues: unknown[] = []) =>
  contractOf([{ kind: 'categorical', column: 'a', table: { type: 'int', vocabulary, missingValues } }]);
const stringColumn = (vocabulary: object = {}, missingValues: unknown[] = []) =>
  contractOf([{ kind: 'categorical', column: 'a', table: { type: 'string', vocabulary, missingValues } }]);

/** The fitted vocabulary of a contract's only table. */
async function vocabularyOf(
  contract: FeatureContract,
  ...batches: RecordBatch[]
): Promise<string[] | undefined> {
  const fitted = await fitContract(contract, streamOf(...batches));
  const values = valuesOfFeature(fitted, fitted.contract.features[0]!);
  const [bytes] = fitted.vocabularies.values();
  checkVocabulary(bytes!, { type: tableOfFirst(fitted.contract).type, entries: values!.length });
  return values;
}

function tableOfFirst(contract: FeatureContract) {
  const feature = contract.features[0]!;
  if (feature.kind !== 'categorical' && feature.kind !== 'list') throw new Error('no id feature');
  return tableOf(contract, feature).definition;
}

async function fittedOf(feature: object, ...batches: RecordBatch[]): Promise<unknown> {
  const { contract } = await fitContract(contractOf([feature]), streamOf(...batches));
  return (contract.features[0] as { fitted?: unknown }).fitted;
}

async function failureOf(contract: FeatureContract, ...batches: RecordBatch[]): Promise<ContractError> {
  const error: unknown = await fitContract(contract, streamOf(...batches)).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ContractError);
  return error as ContractError;
}

describe('fitting a vocabulary', () => {
  it('orders ids by falling count, equal counts by the integer and not by its text', async () => {
    const big = 2n ** 53n + 1n;
    const batch = batchOf({ a: int64s([10, 2, -5, 7, 7, big, big, big, 2n ** 53n, null]) });
    expect(await vocabularyOf(intColumn(), batch)).toEqual([big, 7, -5, 2, 10, 2n ** 53n].map(String));
  });

  it('orders equal counts of strings by their bytes', async () => {
    const batch = batchOf({ a: strings(['é', 'b', 'a', 'Z', '', '😀', '\uffee', 'ab', null]) });
    expect(await vocabularyOf(stringColumn(), batch)).toEqual(['', 'Z', 'a', 'ab', 'b', 'é', '\uffee', '😀']);
  });

  it('leaves out values below minCount, missing values and nulls, whatever stands in their slots', async () => {
    const batch = batchOf({ a: int64s([1, 1, 2, -1, -1, -1, null, null, 3, 3], 2n) });
    expect(await vocabularyOf(intColumn({ minCount: 2 }, [-1]), batch)).toEqual(['1', '3']);
    const texts = batchOf({ a: strings(['x', 'x', '-1', '-1', null, null, 'y']) });
    expect(await vocabularyOf(stringColumn({ minCount: 2 }, [-1]), texts)).toEqual(['x']);
  });

  it('counts the values of all columns that share a table, lists too', async () => {
    const contract = contractOf(
      [
        { kind: 'categorical', column: 'video', table: 'video' },
        { kind: 'categorical', column: 'source', table: 'video' },
        { kind: 'list', column: 'history', table: 'video', maxLength: 1, keep: 'last' },
      ],
      { video: { type: 'int', vocabulary: { minCount: 3 } } },
    );
    const batch = batchOf({
      video: int64s([5, 6, 7]),
      source: int64s([5, 6, null]),
      history: int64Lists([[8, 5, 6, null], null, [6, 8, 8]]),
    });
    expect(await vocabularyOf(contract, batch)).toEqual(['6', '5', '8']);
  });

  it('counts every list value, beyond maxLength too, but none of a null row', async () => {
    const contract = contractOf([
      { kind: 'list', column: 'a', table: { type: 'string', vocabulary: {} }, maxLength: 1, keep: 'first' },
    ]);
    const lists = stringLists([['x', 'y'], null, [], ['z', null, 'z', 'z'], ['y'], null]);
    expect(await vocabularyOf(contract, batchOf({ a: lists }))).toEqual(['z', 'y', 'x']);
    // Row 0 becomes null; its values stay in the child, as Arrow allows.
    const stale = stringLists([['ghost'], ['x'], null, ['y', 'y']]);
    stale.nullBitmap![0] = 0b1010;
    const batch = batchOf({ a: stale.clone(stale.type, 0, 4, 2) });
    expect(await vocabularyOf(contract, batch)).toEqual(['y', 'x']);
  });

  it('counts integer lists on both sides of a null row once, and none of a column of nulls', async () => {
    const table = { type: 'int', vocabulary: {} };
    const contract = contractOf([{ kind: 'list', column: 'a', table, maxLength: 1, keep: 'last' }]);
    const lists = batchOf({ a: int64Lists([[1, 1, 1], null, [2, 2], [3], null, [2, 2]]) });
    expect(await vocabularyOf(contract, lists)).toEqual(['2', '1', '3']);
    const nulls = makeData({ type: new Null(), length: 2 });
    expect(await vocabularyOf(contract, batchOf({ a: nulls }))).toEqual([]);
  });

  it('allows exactly maxEntries distinct values; one more is an error that names the column', async () => {
    const contract = contractOf(
      [
        { kind: 'categorical', column: 'a', table: 't' },
        { kind: 'list', column: 'b', table: 't', maxLength: 1, keep: 'last' },
      ],
      { t: { type: 'int', vocabulary: { maxEntries: 3 } } },
    );
    const batch = (more: number[]) => batchOf({ a: int64s([1, 2]), b: int64Lists([[3, 1], more]) });
    expect(await vocabularyOf(contract, batch([2]))).toEqual(['1', '2', '3']);
    const error = await failureOf(contract, batch([4]));
    expect(error.code).toBe('CONTRACT_VOCABULARY_TOO_LARGE');
    expect(error.location.column).toBe('b');
    expect(error.expected).toBe('at most 3 distinct values');
  });

  it('enforces maxEntries above the first allocation too', async () => {
    const values = Array.from({ length: 3001 }, (_, i) => i);
    const contract = intColumn({ maxEntries: 3000 });
    expect(await vocabularyOf(contract, batchOf({ a: int64s(values.slice(1)) }))).toHaveLength(3000);
    expect((await failureOf(contract, batchOf({ a: int64s(values) }))).location.column).toBe('a');
  });

  it('keeps a byte order mark at the start of a string apart from the string without it', async () => {
    const batch = batchOf({ a: strings(['\ufeffx', '\ufeffx', 'x']) });
    expect(await vocabularyOf(stringColumn(), batch)).toEqual(['\ufeffx', 'x']);
  });

  it('refuses frequent bytes that are no UTF-8, since values are shown as text', async () => {
    const bytes = columnOf(new Binary(), [
      Uint8Array.of(0xff, 0xfe),
      Uint8Array.of(0xff, 0xfe),
      Uint8Array.of(65),
    ]);
    expect(await vocabularyOf(stringColumn({ minCount: 3 }), batchOf({ a: bytes }))).toEqual([]);
    const error = await failureOf(stringColumn(), batchOf({ a: bytes }));
    expect([error.code, error.location.column, error.found]).toEqual([
      'CONTRACT_NOT_UTF8',
      'a',
      'the bytes fffe',
    ]);
  });
});

describe('fitting numbers', () => {
  it('learns mean and population standard deviation of the values that are not missing', async () => {
    const batch = batchOf({ a: doubles([1, 2, null, 3, 4, NaN, -9, Infinity, 1e300]) });
    const fitted = await fittedOf({ kind: 'numeric', column: 'a', missingValues: [-9] }, batch);
    expect(fitted).toEqual({ mean: 2.5, standardDeviation: Math.sqrt(1.25), rows: 4 });
  });

  it('leaves out a missing value that a float32 column holds as the float32 next to it', async () => {
    const batch = batchOf({ a: columnOf(new Float32(), [1, -0.1, -0.1, 2]) });
    const numeric = await fittedOf({ kind: 'numeric', column: 'a', missingValues: [-0.1] }, batch);
    expect(numeric).toMatchObject({ mean: 1.5, rows: 2 });
    const bucketed = { kind: 'bucketed', column: 'a', buckets: 2, missingValues: [-0.1] };
    expect(await fittedOf(bucketed, batch)).toEqual({ boundaries: [1] });
  });

  it('learns them after clip and log1p', async () => {
    const feature = { kind: 'numeric', column: 'a', log1p: true, clip: { min: -3, max: 8 } };
    const fitted = await fittedOf(feature, batchOf({ a: doubles([-100, Infinity]) }));
    const [low, high] = [-Math.log(4), Math.log(9)];
    expect(fitted).toMatchObject({ rows: 2 });
    expect((fitted as { mean: number }).mean).toBeCloseTo((low + high) / 2, 14);
    expect((fitted as { standardDeviation: number }).standardDeviation).toBeCloseTo((high - low) / 2, 14);
  });

  it('keeps nine digits of the deviation at a mean of a billion', async () => {
    const batch = batchOf({ a: doubles(Array.from({ length: 10_000 }, (_, row) => 1e9 + (row % 2))) });
    const feature = { kind: 'numeric', column: 'a', precision: 'float64' };
    const fitted = (await fittedOf(feature, batch)) as { standardDeviation: number };
    expect(fitted.standardDeviation).toBeCloseTo(0.5, 9);
  });

  it('gives a constant or all-missing column the deviation 1', async () => {
    const constant = batchOf({ a: doubles(Array.from({ length: 1000 }, () => 0.1)) });
    expect(await fittedOf({ kind: 'numeric', column: 'a' }, constant)).toEqual({
      mean: Math.fround(0.1),
      standardDeviation: 1,
      rows: 1000,
    });
    expect(await fittedOf({ kind: 'numeric', column: 'a' }, batchOf({ a: doubles([null, NaN]) }))).toEqual({
      mean: 0,
      standardDeviation: 1,
      rows: 0,
    });
  });

  it('learns nothing for a number that is not standardised', async () => {
    const feature = { kind: 'numeric', column: 'a', standardise: false };
    expect(await fittedOf(feature, batchOf({ a: doubles([1]) }))).toBeUndefined();
  });

  it('learns quantile boundaries of the values that are not missing', async () => {
    const values = [...Array.from({ length: 100 }, (_, i) => i + 1), null, NaN, -1, -1];
    const feature = { kind: 'bucketed', column: 'a', buckets: 4, missingValues: [-1] };
    expect(await fittedOf(feature, batchOf({ a: doubles(values) }))).toEqual({ boundaries: [25, 50, 75] });
  });
});

describe('fitContract', () => {
  const whole = contractOf(
    [
      {
        kind: 'categorical',
        column: 'user',
        table: { type: 'int', vocabulary: { minCount: 2 }, missingValues: [-1] },
      },
      { kind: 'categorical', column: 'hashed', table: { type: 'int', hash: { buckets: 50 } } },
      { kind: 'list', column: 'tags', table: { type: 'string', vocabulary: {} }, maxLength: 2, keep: 'last' },
      { kind: 'numeric', column: 'price', log1p: true },
      { kind: 'bucketed', column: 'age', buckets: 8 },
    ],
    {},
  );
  const random = new RandomStream(5);
  const rowCount = 500;
  const pick = <T>(make: () => T): (T | null)[] =>
    Array.from({ length: rowCount }, () => (random.nextUniform() < 0.1 ? null : make()));
  const rows = {
    user: pick(() => random.nextBelow(60) - 1),
    hashed: pick(() => random.nextBelow(1000)),
    tags: pick(() => Array.from({ length: random.nextBelow(4) }, () => `tag${random.nextBelow(30)}`)),
    price: pick(() => random.nextNormal() * 100),
    age: pick(() => random.nextBelow(90)),
  };
  const batchOfRows = (order: readonly number[]) =>
    batchOf({
      user: int64s(
        order.map((row) => rows.user[row]!),
        3n,
      ),
      hashed: int64s(order.map((row) => rows.hashed[row]!)),
      tags: stringLists(order.map((row) => rows.tags[row]!)),
      price: doubles(order.map((row) => rows.price[row]!)),
      age: doubles(order.map((row) => rows.age[row]!)),
    });
  const inOrder = Array.from({ length: rowCount }, (_, row) => row);

  it('gives the same document, bit for bit, for any cut of the rows into batches', async () => {
    const batch = batchOfRows(inOrder);
    const once = await fitContract(whole, streamOf(batch));
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.nat(rowCount), { maxLength: 12 }), async (cuts) => {
        const ends = [...cuts, rowCount].sort((a, b) => a - b);
        const parts = ends.map((end, i) => batch.slice(i === 0 ? 0 : ends[i - 1]!, end));
        expect(await fitContract(whole, streamOf(...parts))).toEqual(once);
      }),
      { numRuns: 30 },
    );
  });

  it('gives the same vocabularies for any order of the rows', async () => {
    const tablesFittedOn = async (order: readonly number[]) => {
      const { contract, vocabularies } = await fitContract(whole, streamOf(batchOfRows(order)));
      const tables = contract.features.flatMap((feature) => ('table' in feature ? [feature.table] : []));
      return { tables, vocabularies };
    };
    const expected = await tablesFittedOn(inOrder);
    for (let round = 0; round < 5; round++) {
      const order = Int32Array.from(inOrder);
      random.shuffle(order);
      expect(await tablesFittedOn([...order])).toEqual(expected);
    }
  });

  it('writes a document that JSON carries without loss', async () => {
    const { contract: fitted } = await fitContract(whole, streamOf(batchOfRows(inOrder)));
    const reread = parseContract(JSON.parse(JSON.stringify(fitted)));
    expect(reread).toEqual(fitted);
    expect(contractFingerprint(reread)).toBe(contractFingerprint(fitted));
    expect(contractFingerprint(fitted)).not.toBe(contractFingerprint(whole));
  });

  it('leaves its input alone and replaces what an earlier fit learned', async () => {
    const before = structuredClone(whole);
    const first = await fitContract(whole, streamOf(batchOfRows(inOrder.slice(0, 100))));
    expect(whole).toEqual(before);
    const batch = batchOfRows(inOrder);
    expect(await fitContract(first.contract, streamOf(batch))).toEqual(
      await fitContract(whole, streamOf(batch)),
    );
  });

  it('learns an empty vocabulary from an optional column that no shard has', async () => {
    const contract = contractOf([
      { kind: 'categorical', column: 'a', required: false, table: { type: 'int', vocabulary: {} } },
    ]);
    expect(await vocabularyOf(contract, batchOf({ other: int64s([1]) }))).toEqual([]);
  });

  it('refuses a missing required column and a wrong type, also of a feature that learns nothing', async () => {
    const hashed = contractOf([
      { kind: 'categorical', column: 'a', table: { type: 'int', hash: { buckets: 2 } } },
    ]);
    const missing = await failureOf(hashed, batchOf({ b: int64s([1]) }));
    expect([missing.code, missing.location.column]).toEqual(['CONTRACT_COLUMN_MISSING', 'a']);
    const wrong = await failureOf(intColumn(), batchOf({ a: strings(['1']) }));
    expect([wrong.code, wrong.location.column]).toEqual(['CONTRACT_COLUMN_TYPE', 'a']);
  });

  it('refuses to fit on no rows', async () => {
    expect((await failureOf(intColumn())).code).toBe('CONTRACT_NO_ROWS');
    expect((await failureOf(intColumn(), batchOf({ a: int64s([]) }))).code).toBe('CONTRACT_NO_ROWS');
  });
});
