import { type Data, Dictionary, makeData, Utf8, Vector, vectorFromArray } from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import type { Indices } from '../../lib/base/arrowColumns.ts';
import { indexTypeOf } from '../../lib/parquet/indexedColumn.ts';
import { withoutDictionary } from '../../lib/scoring/gatherRows.ts';

/** As many values as indices of a byte, or of two, can tell apart: none of them is left to stand for a null. */
function column(indices: Indices, valueCount: number): Data {
  const values = Array.from({ length: valueCount }, (_, place) => `value ${place}`);
  const dictionary = new Vector([vectorFromArray(values, new Utf8()).data[0]!]);
  const type = new Dictionary(new Utf8(), indexTypeOf(indices));
  const nullBitmap = Uint8Array.of(0b101);
  return makeData({ type, length: 3, nullCount: 1, nullBitmap, data: indices, dictionary });
}

describe('withoutDictionary', () => {
  it.each([
    ['a byte', (places: number[]) => Uint8Array.from(places), 256],
    ['two bytes', (places: number[]) => Uint16Array.from(places), 65_536],
    ['four bytes', (places: number[]) => Int32Array.from(places), 65_536],
  ])('puts nothing under a null, and the values elsewhere, for indices of %s', (_, narrow, valueCount) => {
    const plain = withoutDictionary(column(narrow([valueCount - 1, 0, 1]), valueCount));
    const last = `value ${valueCount - 1}`;
    expect(new Vector([plain]).toArray()).toEqual([last, null, 'value 1']);
    expect(String(Buffer.from(plain.values as Uint8Array))).toBe(`${last}value 1`);
  });
});
