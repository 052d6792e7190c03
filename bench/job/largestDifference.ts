import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Table, tableFromIPC } from 'apache-arrow';
import { SCORE_NAMES } from '../../lib/base/tasks.ts';

/**
 * The largest difference of a score between the files of two folders, which have the same rows in the same order.
 * @throws Error where they don't
 */
export function largestDifference(ours: string, theirs: string, rowKey: string): number {
  const names = readdirSync(ours).filter((name) => name.endsWith('.arrow'));
  if (names.length === 0) throw new Error(`${ours}: no files`);
  return Math.max(
    ...names.map((name) => differenceOf(read(join(ours, name)), read(join(theirs, name)), rowKey)),
  );
}

const read = (file: string): Table => tableFromIPC(readFileSync(file));

function differenceOf(ours: Table, theirs: Table, rowKey: string): number {
  if (ours.numRows !== theirs.numRows) throw new Error(`${ours.numRows} rows, ${theirs.numRows} of the peer`);
  const columns = (table: Table, name: string) =>
    table.getChild(name)!.toArray() as Float32Array | BigInt64Array;
  const [keys, theirKeys] = [columns(ours, rowKey), columns(theirs, rowKey)];
  if (!keys.every((key, row) => key === theirKeys[row])) throw new Error(`${rowKey}: not the same rows`);
  let largest = 0;
  for (const name of SCORE_NAMES) {
    const [scores, theirScores] = [columns(ours, name), columns(theirs, name)] as [
      Float32Array,
      Float32Array,
    ];
    for (let row = 0; row < scores.length; row++) {
      const difference = Math.abs(scores[row]! - theirScores[row]!);
      // A score that is no number differs from every other.
      if (!(difference <= largest)) largest = Number.isNaN(difference) ? Infinity : difference;
    }
  }
  return largest;
}
