import { expect, test } from 'vitest';
import { formatFacts, formatTable } from '../../lib/base/textTable.ts';

test('a table aligns columns by their longest cell and leaves no space at the end of a line', () => {
  expect(
    formatTable([
      ['a', 'bb', 'c'],
      ['long', '', ''],
    ]),
  ).toBe('a     bb  c\nlong');
});

test('numbers end below each other when all columns but the first are aligned on the right', () => {
  const rows = [
    ['', 'rows', 'auc'],
    ['click', '12,000', '0.7000'],
    ['conversion', '5', '-'],
  ];
  expect(formatTable(rows, { leftColumns: 1 }).split('\n')).toEqual([
    '              rows     auc',
    'click       12,000  0.7000',
    'conversion       5       -',
  ]);
});

test('facts are a table of names and values', () => {
  expect(formatFacts({ rows: 5, 'row groups': '2 of 3' })).toBe('rows        5\nrow groups  2 of 3');
});
