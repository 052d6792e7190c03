import { expect, test } from 'vitest';
import type { SharedColumn } from '../../lib/parquet/sharedColumns.ts';
import { SpareColumns } from '../../lib/scoring/spareColumns.ts';

const memory = (sizeBytes: number) => new Uint8Array(new SharedArrayBuffer(sizeBytes));

function columnOf(parts: Partial<SharedColumn>): SharedColumn {
  const none = { nullBitmap: undefined, valueOffsets: undefined, values: undefined, dictionary: undefined };
  return { length: 1, nullCount: 0, children: [], ...none, ...parts };
}

test('takes each memory of the named columns once: of bitmaps, offsets, values, elements and dictionaries', () => {
  const [bitmap, offsets, indices, texts, ends, numbers] = [1, 2, 3, 4, 5, 6].map(memory) as Uint8Array[];
  const dictionary = columnOf({ values: texts, valueOffsets: ends });
  const element = columnOf({ values: indices, dictionary });
  const list = columnOf({ nullBitmap: bitmap, valueOffsets: offsets, children: [element] });
  const spare = new SpareColumns();
  spare.give(
    new Map([
      ['list', list],
      ['number', columnOf({ values: numbers, nullBitmap: numbers })],
    ]),
  );
  const found = spare.take(['list', 'other']);
  expect(new Set(found)).toEqual(
    new Set([bitmap, offsets, indices, texts, ends].map((array) => array!.buffer)),
  );
  expect(found).toHaveLength(5);
  expect(spare.take(['number', 'list', 'number'])).toEqual([numbers!.buffer]);
  expect(spare.take(['number'])).toEqual([]);
});

test('keeps the memory that was given last, of each column', () => {
  const [first, second, other] = [1, 2, 3].map((size) => columnOf({ values: memory(size) }));
  const spare = new SpareColumns();
  spare.give(
    new Map([
      ['a', first!],
      ['b', other!],
    ]),
  );
  spare.give(new Map([['a', second!]]));
  expect(spare.take(['a', 'b'])).toEqual([second!.values!.buffer, other!.values!.buffer]);
});
