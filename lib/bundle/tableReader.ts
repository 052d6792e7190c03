import type { EmbeddingTable } from './embeddingTable.ts';
import { Float32Reader } from './float32Reader.ts';
import type { TableReader } from './gatherStep.ts';
import { Float16Reader, Int8Reader } from './narrowTableReaders.ts';

/** A reader of columns [from, to). */
export function tableReader(table: EmbeddingTable, from: number, to: number): TableReader {
  const { rows, scales, rowStart, width } = table;
  const columns = { rowStart, width, from, to };
  if (rows instanceof Uint16Array) return new Float16Reader(rows, columns);
  if (rows instanceof Int8Array) return new Int8Reader(rows, scales!, columns);
  return new Float32Reader(rows, columns);
}
