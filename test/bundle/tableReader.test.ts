import { describe, expect, it } from 'vitest';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { type EmbeddingTable, tableOver, tablePieces } from '../../lib/bundle/embeddingTable.ts';
import { halfValues } from '../../lib/bundle/halfFloat.ts';
import type { StoredElement } from '../../lib/bundle/safetensors.ts';
import { allocateTables } from '../../lib/bundle/tableMemory.ts';
import { tableReader } from '../../lib/bundle/tableReader.ts';
import { narrowTable } from '../../lib/quantise/narrowTable.ts';

const ROWS = 37;
const WIDTH = 6;
const place = { name: 'item', rowStart: 100, rowCount: ROWS };
const random = new RandomStream(4);
const table: EmbeddingTable = {
  ...place,
  width: WIDTH,
  elementType: 'F32',
  // Rows of very different sizes, and one of zeros.
  rows: Float32Array.from({ length: ROWS * WIDTH }, (_, i) =>
    i < WIDTH ? 0 : random.nextNormal() * 10 ** ((i % ROWS) / 9 - 3),
  ),
};

/** Columns 1 to 4 of some rows, single and pooled, as a reader of the table gives them from its file. */
function gathered(elementType: StoredElement) {
  const bytes = Buffer.concat([...tablePieces(narrowTable(table, elementType))]);
  const file = new Uint8Array(new SharedArrayBuffer(bytes.length));
  file.set(bytes);
  const reader = tableReader(tableOver(file, place, WIDTH) as EmbeddingTable, 1, 4);
  const ids = Int32Array.from([100, 136, 117, 101, 122, 109]);
  const single = new Float32Array(2 * 5);
  reader.copier({ ids, width: 3, position: 1 }, { data: single, width: 5, at: 2 })(2);
  const pooled = new Float32Array(2 * 4);
  const weights = Float32Array.from([0.5, 0.5, 0, 1, 0, 0]);
  reader.pooler({ ids, weights, width: 3, position: 0, length: 3 }, { data: pooled, width: 4, at: 1 })(2);
  return { single, pooled, bytes: bytes.length };
}

const valuesOf = (row: number) => [
  ...(table.rows as Float32Array).subarray(row * WIDTH + 1, row * WIDTH + 4),
];

describe('tableReader', () => {
  it('copies and pools columns of float32 rows exactly', () => {
    const { single, pooled } = gathered('F32');
    expect([...single]).toEqual([0, 0, ...valuesOf(36), 0, 0, ...valuesOf(22)]);
    const mean = valuesOf(36).map((x) => Math.fround(x * 0.5));
    expect([...pooled]).toEqual([0, ...mean, 0, ...valuesOf(1)]);
  });

  it.each([
    // Of a half: 11 bits; of an integer: half of a 127th of the row's largest.
    ['F16', 2 ** -11, 2],
    ['I8', 0.5 / 127, 1],
  ] as const)(
    'reads %s rows within their rounding, in a fraction of the bytes',
    (elementType, error, size) => {
      const [exact, found] = [gathered('F32'), gathered(elementType)];
      const largest = (values: Float32Array) => Math.max(...values.map(Math.abs));
      // Of a row with six columns the largest may be one that isn't read.
      const bound = error * Math.max(...(table.rows as Float32Array).map(Math.abs));
      for (const name of ['single', 'pooled'] as const) {
        const errors = found[name].map((x, i) => x - exact[name][i]!);
        expect(largest(errors), name).toBeGreaterThan(0);
        expect(largest(errors), name).toBeLessThanOrEqual(bound);
        expect(found[name].map((x) => (x === 0 ? 1 : 0))).toEqual(exact[name].map((x) => (x === 0 ? 1 : 0)));
      }
      const scaleBytes = elementType === 'I8' ? 4 * ROWS : 0;
      expect(found.bytes).toBeLessThanOrEqual(size * ROWS * WIDTH + scaleBytes + 192);
    },
  );

  it.each(['F32', 'F16', 'I8'] as const)(
    'reads blocks of %s rows of any width, each number in its place',
    (elementType) => {
      const wide: EmbeddingTable = {
        ...place,
        width: 18,
        elementType: 'F32',
        rows: Float32Array.from({ length: ROWS * 18 }, () => random.nextNormal()),
      };
      const narrow = narrowTable(wide, elementType);
      const { rows, scales } = narrow;
      const at = (row: number, column: number) => {
        const stored = rows[row * 18 + column]!;
        if (elementType === 'F16') return halfValues()[stored]!;
        return scales === undefined ? stored : Math.fround(scales[row]! * stored);
      };
      const ids = Int32Array.from([103, 110, 136, 100]);
      const weights = Float32Array.from([0.5, 0.5, 1, 0]);
      for (let from = 0; from < 18; from++) {
        for (let to = from + 1; to <= 18; to++) {
          const reader = tableReader(narrow, from, to);
          const width = to - from + 1;
          const [single, pooled] = [new Float32Array(2 * width), new Float32Array(2 * width)];
          reader.copier({ ids, width: 2, position: 1 }, { data: single, width, at: 1 })(2);
          reader.pooler(
            { ids, weights, width: 2, position: 0, length: 2 },
            { data: pooled, width, at: 1 },
          )(2);
          const columns = Array.from({ length: to - from }, (_, i) => from + i);
          expect([...single]).toEqual([
            0,
            ...columns.map((c) => at(10, c)),
            0,
            ...columns.map((c) => at(0, c)),
          ]);
          const mean = columns.map((c) => Math.fround(Math.fround(at(3, c) + at(10, c)) * 0.5));
          expect([...pooled]).toEqual([0, ...mean, 0, ...columns.map((c) => at(36, c))]);
        }
      }
    },
  );

  it('makes fewer bits lie elsewhere than where kernels read the table', () => {
    const { memory } = allocateTables(new Map([['item', 8]]))!;
    for (const elementType of ['F16', 'I8'] as const) {
      expect(narrowTable({ ...table, memory }, elementType)).toEqual(narrowTable(table, elementType));
    }
  });

  it('keeps every integer within half a step of its own row, however small the row is', () => {
    const { rows, scales } = narrowTable(table, 'I8');
    for (let i = 0; i < rows.length; i++) {
      const scale = scales![Math.floor(i / WIDTH)]!;
      expect(Math.abs(scale * rows[i]! - table.rows[i]!)).toBeLessThanOrEqual(0.501 * scale);
    }
  });
});
