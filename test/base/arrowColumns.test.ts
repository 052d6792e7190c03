import { Decimal, Field, Float64, Int32, List, Struct } from 'apache-arrow';
import { expect, it } from 'vitest';
import { typeText } from '../../lib/base/arrowColumns.ts';

it('types are told as Arrow writes them, and decimals by their digits, wherever they lie', () => {
  expect(typeText(new Int32())).toBe('Int32');
  expect(typeText(new Decimal(2, 9, 128))).toBe('Decimal(9, 2)');
  const fields = [new Field('tax', new Decimal(-3, 38, 128)), new Field('fee', new Float64())];
  expect(typeText(new List(new Field('item', new Struct(fields))))).toBe(
    'List<Struct<{tax:Decimal(38, -3), fee:Float64}>>',
  );
});
