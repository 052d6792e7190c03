import { readFileSync } from 'node:fs';
import { type Table, tableFromIPC } from 'apache-arrow';

export const SCORE_NAMES = ['pctr', 'pcvr', 'pctcvr'] as const;

export function readTable(path: string): Table {
  return tableFromIPC(readFileSync(path));
}

/** A column over all record batches. */
export function floats(table: Table, name: string): Float32Array {
  return Float32Array.from(table.getChild(name)!.toArray() as Float32Array);
}

/** Float bits of the three scores by impression: equal strings are equal bits. */
export function scoreBits(path: string): Map<bigint, string> {
  return tableBits(readTable(path));
}

export function tableBits(table: Table): Map<bigint, string> {
  const ids = table.getChild('impression_id')!;
  const columns = SCORE_NAMES.map((name) => new Uint32Array(floats(table, name).buffer));
  return new Map(
    Array.from({ length: table.numRows }, (_, row) => [
      ids.get(row) as bigint,
      columns.map((bits) => bits[row]!.toString(16)).join(' '),
    ]),
  );
}
