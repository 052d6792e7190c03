import type { EmbeddingTable } from '../bundle/embeddingTable.ts';
import { toHalf } from '../bundle/halfFloat.ts';
import type { StoredElement } from '../bundle/safetensors.ts';

const LARGEST_INTEGER = 127;

/**
 * A table in fewer bits: half floats, or integers whose scale takes the largest magnitude of their row to 127.
 * @param table of float32 rows
 */
export function narrowTable(table: EmbeddingTable, elementType: StoredElement): EmbeddingTable {
  const rows = table.rows as Float32Array;
  if (elementType === 'F32') return table;
  const { name, rowStart, rowCount, width } = table;
  if (elementType === 'F16') {
    const halves = new Uint16Array(new SharedArrayBuffer(2 * rows.length));
    for (let i = 0; i < rows.length; i++) halves[i] = toHalf(rows[i]!);
    return { name, rowStart, rowCount, width, elementType, rows: halves };
  }
  const integers = new Int8Array(new SharedArrayBuffer(rows.length));
  const scales = new Float32Array(new SharedArrayBuffer(4 * rowCount));
  for (let row = 0; row < rowCount; row++) {
    const from = row * width;
    let largest = 0;
    for (let i = from; i < from + width; i++) largest = Math.max(largest, Math.abs(rows[i]!));
    const scale = Math.fround(largest / LARGEST_INTEGER);
    scales[row] = scale;
    // Of numbers that are as good as 0 the scale is 0.
    if (scale === 0) continue;
    for (let i = from; i < from + width; i++) {
      integers[i] = Math.max(-LARGEST_INTEGER, Math.min(LARGEST_INTEGER, Math.round(rows[i]! / scale)));
    }
  }
  return { name, rowStart, rowCount, width, elementType, rows: integers, scales };
}
