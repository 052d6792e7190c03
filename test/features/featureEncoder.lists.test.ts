import { Bool, makeData, Null } from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import { allocateEncodedRows } from '../../lib/features/encodedRows.ts';
import { batchOf, columnOf, int64Lists, listOf, stringLists } from './arrowBatches.ts';
import { encoded, encoderOf, vocabulary } from './encodeBatch.ts';

describe('list features', () => {
  const table = { type: 'int', missingValues: [-1], ...vocabulary('1', '2', '3', '4', '5') };
  const listFeature = (keep: string, maxLength: number) => [
    { kind: 'list', column: 'a', table, maxLength, keep },
  ];
  const lists = [[1, 2, 3, 4, 5], [], null, [null, 1, null, 2], [-1, 3, 9], [9, 9], [null, -1]];
  const batch = batchOf({ a: int64Lists(lists) });
  const third = Math.fround(1 / 3);

  it('keep the first values: nulls and missing values take no place, unseen ones do', () => {
    const encoder = encoderOf(listFeature('first', 3));
    const { lists: rows, weights } = encoded(encoder, batch);
    expect(rows).toEqual([1, 2, 3, 0, 0, 0, 0, 0, 0, 1, 2, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0]);
    expect(weights).toEqual([
      ...[third, third, third, 0, 0, 0, 0, 0, 0, 0.5, 0.5, 0],
      ...[1, 0, 0, 0, 0, 0, 0, 0, 0],
    ]);
    // Looked at: 3 + 0 + 0 + 2 + 2 + 2 + 0. Without a value: rows 1, 2 and 6.
    expect(encoder.counts).toEqual([{ name: 'a', values: 9, missing: 3, unseen: 3 }]);
  });

  it('keep the last values, the very last one first', () => {
    const { lists: rows, weights } = encoded(encoderOf(listFeature('last', 2)), batch);
    expect(rows).toEqual([5, 4, 0, 0, 0, 0, 2, 1, 3, 0, 0, 0, 0, 0]);
    expect(weights).toEqual([0.5, 0.5, 0, 0, 0, 0, 0.5, 0.5, 1, 0, 0, 0, 0, 0]);
  });

  it('let an unseen value use up a place under the cap', () => {
    const unseenFirst = batchOf({ a: int64Lists([[9, 1, 2]]) });
    expect(encoded(encoderOf(listFeature('first', 2)), unseenFirst)).toMatchObject({
      lists: [1, 0],
      weights: [1, 0],
    });
    const unseenLast = batchOf({ a: int64Lists([[1, 2, 9]]) });
    expect(encoded(encoderOf(listFeature('last', 2)), unseenLast)).toMatchObject({
      lists: [2, 0],
      weights: [1, 0],
    });
  });

  it('ignore values that stand under a null row', () => {
    const data = int64Lists([[1], [2, 3], null]);
    data.nullBitmap![0] = 0b001;
    const stale = batchOf({ a: data.clone(data.type, 0, 3, 2) });
    const encoder = encoderOf(listFeature('first', 2));
    expect(encoded(encoder, stale).lists).toEqual([1, 0, 0, 0, 0, 0]);
    expect(encoder.counts).toEqual([{ name: 'a', values: 1, missing: 2, unseen: 0 }]);
  });

  it('leave nothing of a long-list batch in a short-list batch encoded into the same rows', () => {
    const encoder = encoderOf(listFeature('first', 5));
    const rows = allocateEncodedRows(encoder.layout, 2);
    const long = [1, 2, 3, 4, 5];
    encoder.encode(batchOf({ a: int64Lists([long, long]) }), 0, 2, rows, 0);
    encoder.encode(batchOf({ a: int64Lists([[4], null]) }), 0, 2, rows, 0);
    expect([...rows.listRows]).toEqual([4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    expect([...rows.listWeights]).toEqual([1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  });

  it('read lists of strings, hashed or not, of booleans and of nulls only', () => {
    const strTable = { type: 'string', ...vocabulary('x', 'y') };
    const feature = { kind: 'list', column: 'a', maxLength: 2, keep: 'first' };
    const words = batchOf({ a: stringLists([['y', null, 'x'], ['?'], null]) });
    expect(encoded(encoderOf([{ ...feature, table: strTable }]), words).lists).toEqual([2, 1, 0, 0, 0, 0]);
    const flags = batchOf({ a: columnOf(listOf(new Bool()), [[true, false], [null]]) });
    expect(encoded(encoderOf([{ ...feature, table }]), flags)).toMatchObject({ lists: [1, 0, 0, 0] });
    const nulls = batchOf({ a: makeData({ type: new Null(), length: 2 }) });
    expect(encoded(encoderOf([{ ...feature, table }]), nulls)).toMatchObject({
      lists: [0, 0, 0, 0],
      weights: [0, 0, 0, 0],
    });
  });

  it('stand beside each other, each at its own positions', () => {
    const feature = { kind: 'list', keep: 'first', table: 't' };
    const encoder = encoderOf(
      [
        { ...feature, column: 'a', maxLength: 2 },
        { ...feature, column: 'b', maxLength: 1 },
      ],
      { t: table },
    );
    const pair = batchOf({ a: int64Lists([[1, 2], [3]]), b: int64Lists([[4], [5]]) });
    expect(encoded(encoder, pair).lists).toEqual([1, 2, 4, 3, 0, 5]);
  });
});
