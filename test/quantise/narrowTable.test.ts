import { describe, expect, it } from 'vitest';
import { RandomStream } from '../../lib/base/randomStream.ts';
import type { EmbeddingTable } from '../../lib/bundle/embeddingTable.ts';
import { narrowTable } from '../../lib/quantise/narrowTable.ts';

const WIDTH = 8;
const random = new RandomStream(3);

/** Rows of very different sizes, one of zeros, one of the smallest float32. */
const rows = Float32Array.from({ length: 40 * WIDTH }, (_, i) => {
  const row = Math.floor(i / WIDTH);
  if (row === 0) return 0;
  return row === 1 ? 2 ** -149 : random.nextNormal() * 10 ** ((row % 9) - 4);
});
const table: EmbeddingTable = {
  name: 't',
  rowStart: 0,
  rowCount: 40,
  width: WIDTH,
  elementType: 'F32',
  rows,
};

describe('a table of 8-bit integers', () => {
  const { rows: integers, scales } = narrowTable(table, 'I8');

  it('takes the largest magnitude of a row to 127, and no number by more than half a step', () => {
    for (let row = 2; row < 40; row++) {
      const own = rows.subarray(row * WIDTH, (row + 1) * WIDTH);
      const ofRow = Array.from(integers.subarray(row * WIDTH, (row + 1) * WIDTH));
      expect(Math.max(...ofRow.map(Math.abs)), `row ${row}`).toBe(127);
      for (const [i, integer] of ofRow.entries()) {
        // A millionth for the scale's own rounding to float32, times 127.
        const step = scales![row]! * (0.5 + 1e-5);
        expect(Math.abs(integer * scales![row]! - own[i]!), `row ${row}, ${i}`).toBeLessThanOrEqual(step);
      }
    }
  });

  it('has zeros for a row of zeros, and for one that no scale is small enough for', () => {
    expect([...scales!.subarray(0, 2)]).toEqual([0, 0]);
    expect(integers.subarray(0, 2 * WIDTH).every((integer) => integer === 0)).toBe(true);
  });
});
