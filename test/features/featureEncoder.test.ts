import { makeData, Null, type RecordBatch } from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import { ContractError } from '../../lib/base/errors.ts';
import { allocateEncodedRows } from '../../lib/features/encodedRows.ts';
import {
  batchOf,
  columnOf,
  doubles,
  indexed,
  int64Lists,
  int64s,
  listOf,
  stringLists,
  strings,
} from './arrowBatches.ts';
import { encoded, encoderOf, vocabulary } from './encodeBatch.ts';

describe('takeDictionaries', () => {
  const features = [
    { kind: 'categorical', column: 'a', table: { type: 'string', ...vocabulary('x', 'y') } },
    { kind: 'numeric', column: 'b', standardise: false },
    { kind: 'list', column: 'c', table: { type: 'int', ...vocabulary('7') }, maxLength: 2, keep: 'last' },
    // Taken as something else than it is.
    { kind: 'categorical', column: 'd', table: { type: 'int', ...vocabulary('2') } },
  ];
  const batch = batchOf({
    id: int64s([1, 2, 3]),
    a: indexed(strings(['x', null, 'y'])),
    b: indexed(doubles([1, 2, 1])),
    c: indexed(int64Lists([[7], [], [8, 7]])),
    d: indexed(doubles([2, 2, 3])),
  });
  const copy = <A extends Int32Array | Float32Array | Uint8Array>(array: A) => array.slice() as A;

  it('encodes rows by what another encoder made of their dictionaries', () => {
    const made = encoderOf(features).encodeDictionaries(batch, copy);
    expect([...made.keys()].sort()).toEqual(['a', 'b', 'c']);
    const encoder = encoderOf(features);
    encoder.takeDictionaries(batch, made);
    expect(encoded(encoder, batch)).toEqual(encoded(encoderOf(features), batch));
    for (const { values } of made.values()) values.fill(5);
    const spoiled = encoded(encoder, batch);
    expect(spoiled.singles.filter((_, at) => at % 2 === 0)).toEqual([5, 5, 5]);
    expect(spoiled.dense.filter((_, at) => at % 2 === 0)).toEqual([5, 5, 5]);
    expect(spoiled.lists).toEqual([5, 0, 0, 0, 5, 5]);
  });

  it('leaves what it took as it is when it encodes other dictionaries', () => {
    const made = encoderOf(features).encodeDictionaries(batch, copy);
    const before = structuredClone(made);
    const encoder = encoderOf(features);
    encoder.takeDictionaries(batch, made);
    encoded(encoder, batch);
    const other = batchOf({
      ...columnsOf(batch),
      a: indexed(strings(['y', 'z', 'y'])),
      b: indexed(doubles([9, 8, 7])),
    });
    expect(encoded(encoder, other)).toEqual(encoded(encoderOf(features), other));
    expect(made).toEqual(before);
    expect(encoded(encoder, batch)).toEqual(encoded(encoderOf(features), batch));
  });

  it('encodes the dictionaries of other batches between two times of the same one', () => {
    const encoder = encoderOf(features);
    const first = encoded(encoder, batch);
    const other = batchOf({ a: indexed(strings(['z', 'y', 'x'])), b: indexed(doubles([9, 8])) });
    encoder.encodeDictionaries(other, copy);
    expect(encoded(encoder, batch)).toEqual(first);
  });

  it('makes nothing of columns that the batch lacks or that have another type', () => {
    const some = batchOf({ a: indexed(doubles([1, 2])), b: indexed(doubles([1, 2])) });
    expect([...encoderOf(features).encodeDictionaries(some, copy).keys()]).toEqual(['b']);
  });
});

const columnsOf = (batch: RecordBatch) =>
  Object.fromEntries(batch.schema.names.map((name, at) => [name, batch.data.children[at]!]));

describe('encode', () => {
  const features = (required: boolean) => [
    { kind: 'categorical', column: 'a', required, table: { type: 'int', ...vocabulary('1') } },
    { kind: 'bucketed', column: 'b', required, buckets: 2, fitted: { boundaries: [0] } },
    {
      kind: 'list',
      column: 'c',
      required,
      table: { type: 'int', ...vocabulary('1') },
      maxLength: 2,
      keep: 'last',
    },
    { kind: 'numeric', column: 'd', required, standardise: false },
  ];

  it('takes every value of an absent optional column as missing', () => {
    const encoder = encoderOf(features(false));
    const into = allocateEncodedRows(encoder.layout, 2);
    const full = { a: int64s([1, 1]), b: doubles([1, 1]), c: int64Lists([[1], [1, 1]]), d: doubles([1, 1]) };
    encoder.encode(batchOf(full), 0, 2, into, 0);
    for (const counts of encoder.counts) Object.assign(counts, { values: 0, missing: 0, unseen: 0 });
    expect(encoded(encoder, batchOf({ other: int64s([1, 1]) }))).toEqual({
      singles: [0, 2, 0, 2],
      lists: [0, 0, 0, 0],
      weights: [0, 0, 0, 0],
      dense: [0, 1, 0, 1],
    });
    expect(encoder.counts).toEqual([
      { name: 'a', values: 2, missing: 2, unseen: 0 },
      { name: 'b', values: 2, missing: 2, unseen: 0 },
      { name: 'c', values: 0, missing: 2, unseen: 0 },
      { name: 'd', values: 2, missing: 2, unseen: 0 },
    ]);
  });

  it('takes an all-null column of no type as missing values', () => {
    const table = { type: 'string', ...vocabulary('x') };
    const encoder = encoderOf([
      ...features(true),
      { kind: 'categorical', column: 'e', table },
      { kind: 'list', column: 'f', table, maxLength: 1, keep: 'first' },
    ]);
    const full = {
      a: int64s([1]),
      b: doubles([1]),
      c: int64Lists([[1]]),
      d: doubles([1]),
      e: strings(['x']),
    };
    encoded(encoder, batchOf({ ...full, f: stringLists([['x']]) }));
    for (const counts of encoder.counts) Object.assign(counts, { values: 0, missing: 0, unseen: 0 });
    const nulls = makeData({ type: new Null(), length: 1 });
    const listOfNulls = columnOf(listOf(new Null()), [[null, null]]);
    const batch = batchOf({ a: nulls, b: nulls, c: nulls, d: nulls, e: nulls, f: nulls });
    expect(encoded(encoder, batch)).toMatchObject({ lists: [0, 0, 0], weights: [0, 0, 0], dense: [0, 1] });
    expect(encoded(encoder, batchOf({ ...full, c: listOfNulls, f: listOfNulls })).weights).toEqual([0, 0, 0]);
    expect(encoder.counts.map(({ missing, unseen }) => [missing, unseen])).toEqual([
      ...[
        [1, 0],
        [1, 0],
        [1, 0],
      ],
      ...[
        [2, 0],
        [2, 0],
        [1, 0],
      ],
    ]);
  });

  it('refuses an absent required column and a wrong type, naming column, expected and found', () => {
    const encoder = encoderOf(features(true));
    const errorOf = (columns: Parameters<typeof batchOf>[0]) => {
      try {
        encoded(encoder, batchOf(columns));
      } catch (error) {
        expect(error).toBeInstanceOf(ContractError);
        const { code, location, expected, found } = error as ContractError;
        return [code, location.column, expected, found];
      }
      return undefined;
    };
    expect(errorOf({ b: doubles([1]), x: doubles([1]) })).toEqual([
      'CONTRACT_COLUMN_MISSING',
      'a',
      'an integer column',
      'the columns b, x',
    ]);
    expect(errorOf({ a: strings(['1']) })).toEqual([
      'CONTRACT_COLUMN_TYPE',
      'a',
      'an integer column',
      'Utf8',
    ]);
    expect(errorOf({ a: int64s([1]), b: doubles([1]), c: stringLists([[]]) })).toEqual([
      'CONTRACT_COLUMN_TYPE',
      'c',
      'a list of integers',
      'List<Utf8>',
    ]);
  });

  it('writes only the rows it was asked to write', () => {
    const encoder = encoderOf(features(true));
    const into = allocateEncodedRows(encoder.layout, 4);
    for (const array of [into.singleRows, into.listRows, into.listWeights, into.dense]) array.fill(99);
    const batch = batchOf({
      a: int64s([5, 1, 5]),
      b: doubles([0, 1, 0]),
      c: int64Lists([[], [1], []]),
      d: doubles([0, 7, 0]),
    });
    encoder.encode(batch, 1, 2, into, 2);
    expect([...into.singleRows]).toEqual([99, 99, 99, 99, 1, 4, 99, 99]);
    expect([...into.listRows]).toEqual([99, 99, 99, 99, 6, 0, 99, 99]);
    expect([...into.listWeights]).toEqual([99, 99, 99, 99, 1, 0, 99, 99]);
    expect([...into.dense]).toEqual([99, 99, 99, 99, 7, 0, 99, 99]);
    const { a, b, d } = { a: int64s([1]), b: doubles([1]), d: doubles([7]) };
    encoder.encode(batchOf({ a, b, c: int64Lists([[1, 1]]), d }), 0, 1, into, 2);
    expect([...into.listRows]).toEqual([99, 99, 99, 99, 6, 6, 99, 99]);
    expect([...into.listWeights]).toEqual([99, 99, 99, 99, 0.5, 0.5, 99, 99]);
  });

  it('accepts an empty range and refuses rows outside the batch or the target', () => {
    const encoder = encoderOf(features(false));
    const batch = batchOf({ a: int64s([1, 1, 1]) });
    const into = allocateEncodedRows(encoder.layout, 2);
    encoder.encode(batch, 3, 3, into, 2);
    encoder.encode(batchOf({ a: int64s([]), c: int64Lists([]) }), 0, 0, into, 0);
    const bad: [number, number, number][] = [
      [0, 3, 0],
      [0, 2, 1],
      [2, 4, 0],
      [-1, 1, 0],
      [2, 1, 0],
      [0, 1, -1],
    ];
    for (const [start, end, at] of bad) {
      expect(() => encoder.encode(batch, start, end, into, at)).toThrow(RangeError);
    }
  });

  it('lets several features read one column', () => {
    const encoder = encoderOf([
      { kind: 'categorical', column: 'a', table: { type: 'int', ...vocabulary('3') } },
      { kind: 'numeric', name: 'a_number', column: 'a', standardise: false },
      { kind: 'bucketed', name: 'a_bucket', column: 'a', buckets: 2, fitted: { boundaries: [2] } },
    ]);
    expect(encoded(encoder, batchOf({ a: int64s([3, null], 3n) }))).toMatchObject({
      singles: [1, 4, 0, 2],
      dense: [3, 0, 0, 1],
    });
  });
});
