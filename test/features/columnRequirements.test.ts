import {
  Binary,
  Bool,
  type DataType,
  DateDay,
  Decimal,
  Dictionary,
  Field,
  FixedSizeBinary,
  Float16,
  Float64,
  Int8,
  Int32,
  Int64,
  Null,
  Struct,
  TimestampMillisecond,
  Uint64,
  Utf8,
} from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import { columnRequirements, rowKeyRequirements } from '../../lib/features/columnRequirements.ts';
import { parseContract } from '../../lib/features/contract.ts';
import { listOf } from './arrowBatches.ts';

const ints = [new Int8(), new Int64(), new Uint64(), new Bool()];
const texts = [new Utf8(), new Binary()];
const fractions = [new Float16(), new Float64(), new Decimal(2, 10, 128)];
const times = [new DateDay(), new TimestampMillisecond()];
const fixedBytes = new FixedSizeBinary(16);
const others = [new Dictionary(new Utf8(), new Int32())];
const lists = [...ints, ...texts, ...fractions].map((type) => listOf(type));
const all: DataType[] = [
  ...ints,
  ...texts,
  ...fractions,
  ...times,
  fixedBytes,
  ...others,
  ...lists,
  new Null(),
];

function requirementsOf(...features: object[]) {
  return columnRequirements(parseContract({ contractVersion: 1, rowKeys: ['id'], features }));
}

const table = (type: string) => ({ type, hash: { buckets: 2 } });
const accepted = (feature: object) =>
  all.filter((type) => requirementsOf(feature)[0]!.accepts(type)).map(String);
const named = (types: readonly DataType[]) => [...types, new Null()].map(String);

describe('columnRequirements', () => {
  it('says what to do about a list of structs or of lists, and about a struct, wherever a feature names one', () => {
    const ids = { kind: 'list', column: 'items', table: table('int'), maxLength: 3, keep: 'first' };
    const item = new Struct([new Field('id', new Int64()), new Field('price', new Float64())]);
    for (const feature of [ids, { kind: 'numeric', column: 'items' }]) {
      const [{ advice }] = requirementsOf(feature) as [ReturnType<typeof requirementsOf>[number]];
      expect(advice!(listOf(item))).toMatch(
        /make a list of one field, transform\(items, x -> x\.id\), or a row/,
      );
      expect(advice!(listOf(listOf(new Int64())))).toMatch(/make one list of them: flatten\(items\)$/);
      expect(advice!(item)).toBe("a field of it is named by its path, such as 'items.id'");
      expect(advice!(listOf(new Utf8()))).toBeUndefined();
    }
  });

  it('accepts each Arrow type for the features that can read it, and an all-null column for any', () => {
    const single = { kind: 'categorical', column: 'a' };
    const floats = [new Float16(), new Float64()];
    expect(accepted({ ...single, table: table('int') })).toEqual(named([...ints, ...floats]));
    expect(accepted({ ...single, table: table('string') })).toEqual(named([...texts, fixedBytes]));
    expect(accepted({ ...single, from: 'hex', table: table('string') })).toEqual(
      named([new Binary(), fixedBytes]),
    );
    for (const kind of [{ kind: 'numeric' }, { kind: 'bucketed', buckets: 2 }]) {
      expect(accepted({ ...kind, column: 'a', from: 'weekday' })).toEqual(named(times));
      expect(accepted({ ...kind, column: 'a', from: 'hour' })).toEqual(named(times.slice(1)));
    }
    expect(accepted({ kind: 'numeric', column: 'a' })).toEqual(named([...ints, ...fractions]));
    expect(accepted({ kind: 'bucketed', column: 'a', buckets: 2 })).toEqual(named([...ints, ...fractions]));
    const list = { kind: 'list', column: 'a', maxLength: 1, keep: 'last' };
    expect(accepted({ ...list, table: table('int') })).toEqual(
      named([...ints, ...floats].map((type) => listOf(type))),
    );
    expect(accepted({ ...list, table: table('string') })).toEqual(named(texts.map((type) => listOf(type))));
  });

  it('says what it expects in words', () => {
    const words = requirementsOf(
      { kind: 'categorical', column: 'a', table: table('int') },
      { kind: 'categorical', column: 'b', table: table('string') },
      { kind: 'list', column: 'c', table: table('int'), maxLength: 1, keep: 'last' },
      { kind: 'list', column: 'd', table: table('string'), maxLength: 1, keep: 'last' },
      { kind: 'numeric', column: 'e' },
    ).map(({ expected }) => expected);
    expect(words).toEqual([
      'an integer column',
      'a string column',
      'a list of integers',
      'a list of strings',
      'a number column',
    ]);
  });

  it('asks a column that two features read to please both, and to be there when one needs it', () => {
    const [requirement, ...more] = requirementsOf(
      { kind: 'numeric', column: 'a', required: false },
      { kind: 'categorical', name: 'b', column: 'a', table: table('int') },
    );
    expect(more).toEqual([]);
    const both = [...ints, new Float16(), new Float64()];
    expect(requirement).toMatchObject({ required: true, expected: 'a number column and an integer column' });
    expect(all.filter((type) => requirement!.accepts(type)).map(String)).toEqual(named(both));
    const [turned] = requirementsOf(
      { kind: 'categorical', name: 'b', column: 'a', table: table('int') },
      { kind: 'numeric', column: 'a', required: false },
    );
    expect(turned).toMatchObject({ required: true, expected: 'an integer column and a number column' });
    expect(all.filter((type) => turned!.accepts(type)).map(String)).toEqual(named(both));
  });

  it('says once what two features of one column expect alike', () => {
    const numeric = { kind: 'numeric', column: 'a' };
    expect(requirementsOf(numeric, { ...numeric, name: 'b' })[0]!.expected).toBe('a number column');
  });
});

describe('rowKeyRequirements', () => {
  it('accepts integers, text, bytes, dates and timestamps, and nothing that a file could not key rows by', () => {
    const [requirement] = rowKeyRequirements(
      parseContract({ contractVersion: 1, rowKeys: ['id'], features: [{ kind: 'numeric', column: 'a' }] }),
    );
    const keys = [new Int8(), new Int64(), new Uint64(), ...texts, ...times, fixedBytes];
    expect(all.filter((type) => requirement!.accepts(type)).map(String)).toEqual(keys.map(String));
    expect(requirement!.required).toBe(true);
    expect(requirement!.expected).toBe('an integer, string, bytes, date or timestamp column (row key)');
  });

  it('says what to do about a key of floats or decimals, and nothing of other types', () => {
    const [requirement] = rowKeyRequirements(
      parseContract({
        contractVersion: 1,
        rowKeys: ['order.id'],
        features: [{ kind: 'numeric', column: 'a' }],
      }),
    );
    for (const type of fractions) {
      expect(requirement!.advice!(type)).toMatch(/CAST\(id AS BIGINT\) or CAST\(id AS VARCHAR\)$/);
    }
    expect(requirement!.advice!(new Bool())).toBeUndefined();
  });
});
