import { expect, test } from 'vitest';
import { plainColumns } from '../../lib/bundle/plainColumns.ts';
import { allocateEncodedRows } from '../../lib/features/encodedRows.ts';
import { batchOf, doubles, int64Lists, int64s, strings } from '../features/arrowBatches.ts';
import { encoderOf, vocabulary } from '../features/encodeBatch.ts';

test('says of every column of encoded rows which feature it is, whatever the order of the contract', () => {
  const encoder = encoderOf([
    { kind: 'numeric', column: 'price', standardise: false },
    { kind: 'bucketed', column: 'age', buckets: 3, fitted: { boundaries: [10, 20] } },
    { kind: 'list', column: 'seen', table: { type: 'int', ...vocabulary('7') }, maxLength: 2, keep: 'first' },
    { kind: 'categorical', column: 'city', table: { type: 'string', ...vocabulary('x', 'y') } },
    {
      kind: 'list',
      column: 'bought',
      table: { type: 'int', ...vocabulary('7', '8', '9') },
      maxLength: 1,
      keep: 'first',
    },
  ]);
  const rows = allocateEncodedRows(encoder.layout, 1);
  const batch = batchOf({
    id: int64s([1]),
    price: doubles([2.5]),
    age: doubles([25]),
    seen: int64Lists([[7]]),
    city: strings(['y']),
    bought: int64Lists([[9]]),
  });
  encoder.encode(batch, 0, 1, rows, 0);

  const { single_rows, list_rows, dense } = plainColumns(encoder.layout);
  const ids = Object.fromEntries([
    ...single_rows.map(({ feature, rowStart }, column) => [feature, rows.singleRows[column]! - rowStart]),
    ...list_rows.map(({ feature, rowStart, position }) => [feature, rows.listRows[position]! - rowStart]),
  ]);
  expect(ids).toEqual({ city: 2, age: 3, seen: 1, bought: 3 });
  expect(single_rows.map(({ rowCount }) => rowCount)).toEqual([3, 4]);
  expect(list_rows.map(({ position, length }) => [position, length])).toEqual([
    [0, 2],
    [2, 1],
  ]);
  expect(Object.fromEntries(dense.map((name, column) => [name, rows.dense[column]]))).toEqual({
    price: 2.5,
    'price.missing': 0,
  });
});
