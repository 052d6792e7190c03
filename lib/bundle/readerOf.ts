import type { EmbeddingTable } from './embeddingTable.ts';
import { Float16Reader, Int8Reader } from './narrowTableReaders.ts';
import { Float32Reader, type TableReader } from './tableReader.ts';

/** A reader of columns [from, to) of a table of any type. */
export function readerOf(
  { rows, scales, rowStart, width }: EmbeddingTable,
  from: number,
  to: number,
): TableReader {
  const place = { rowStart, width, from, to };
  if (rows instanceof Uint16Array) return new Float16Reader(rows, place);
  if (rows instanceof Int8Array) return new Int8Reader(rows, scales!, place);
  return new Float32Reader({ rows, rowStart, width }, from, to);
}
