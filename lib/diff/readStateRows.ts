import type { Schema } from 'apache-arrow';
import { type RowKeyColumns, rowKeysOf } from '../arrow/predictionSchema.ts';
import { openPredictions } from '../arrow/readPredictions.ts';
import { keyKindOf, RowKeyBytes } from '../arrow/rowKeyBytes.ts';
import { SequentialFile } from '../arrow/sequentialFile.ts';
import { columnOf } from '../base/arrowColumns.ts';
import { Ncs4cvrError } from '../base/errors.ts';
import { SCORE_NAMES } from '../base/tasks.ts';
import { hash64, hashBytes, seed64 } from '../features/hash64.ts';
import type { FoundState } from '../publish/findState.ts';
import { below } from '../publish/outputLayout.ts';
import { storageFor } from '../storage/openStorage.ts';

/** The row keys of a state, from the schema of its first part. */
export async function joinKeysOf(state: FoundState): Promise<RowKeyColumns> {
  // Nothing is published without a part.
  const uri = below(state.root, state.manifest.parts[0]!.path);
  const file = await storageFor(uri).open(uri);
  try {
    return rowKeysOf((await openPredictions(file)).schema);
  } finally {
    await file.close();
  }
}

function refuseOtherKeys(expected: RowKeyColumns, schema: Schema, file: string): void {
  const textOf = ({ names, types }: RowKeyColumns) =>
    names.map((name, index) => `${name} (${keyKindOf(types[index]!)})`);
  const found = textOf(rowKeysOf(schema));
  if (found.sort().join() === textOf(expected).sort().join()) return;
  throw new Ncs4cvrError('DIFF_KEYS_DIFFER', "states whose row keys differ can't be joined", {
    file,
    expected: textOf(expected).join(', '),
    found: found.join(', '),
  });
}

/** Which rows a pass over a state takes. */
export interface RowShare {
  readonly pass: number;
  readonly passes: number;
  /** How many of the first key columns decide: rows that are equal in these are in the same pass. */
  readonly decidingColumns: number;
}

/** Called with every row: its key in `keys`, of which `decidingBytes` belong to the deciding columns, and its score columns. */
export type OnRow = (keys: RowKeyBytes, decidingBytes: number, row: number) => void;

/** Other values than the string index hashes by, whose slots would fill unevenly else. */
const PASS_SEED = seed64(0x6e637334);

/**
 * Reads the rows of a state that belong to a pass, in the order of its parts. Holds a piece of 64 MiB of one part.
 * @param keyColumns row keys, the deciding ones first
 * @param onBatch gives the row callback for a batch: `scores` has the bits of its scores, each without a sign
 * @throws Ncs4cvrError DIFF_KEYS_DIFFER, PREDICTION_FILE_INVALID; StorageError
 */
export async function readStateRows(
  { root, manifest }: FoundState,
  keys: RowKeyColumns,
  keyColumns: readonly string[],
  { pass, passes, decidingColumns }: RowShare,
  onBatch: (scores: readonly Uint32Array[], slices: (name: string) => RowKeyBytes) => OnRow,
): Promise<void> {
  const rowKeys = new RowKeyBytes(keyColumns);
  for (const { path } of manifest.parts) {
    const uri = below(root, path);
    const file = new SequentialFile(await storageFor(uri).open(uri));
    try {
      const { schema, batches } = await openPredictions(file);
      refuseOtherKeys(keys, schema, uri);
      for await (const batch of batches) {
        rowKeys.use(batch);
        const scores = SCORE_NAMES.map((name) => {
          const { buffer, byteOffset } = columnOf(batch, name)!.values as Float32Array;
          return new Uint32Array(buffer, byteOffset, batch.numRows);
        });
        const onRow = onBatch(scores, (name) => {
          const slice = new RowKeyBytes([name]);
          slice.use(batch);
          return slice;
        });
        for (let row = 0; row < batch.numRows; row++) {
          const decidingBytes = rowKeys.read(row, 0, decidingColumns);
          if (passes > 1) {
            hashBytes(rowKeys.bytes, 0, decidingBytes, PASS_SEED);
            if ((hash64[0]! >>> 0) % passes !== pass) continue;
          }
          rowKeys.read(row, decidingColumns);
          onRow(rowKeys, decidingBytes, row);
        }
      }
    } finally {
      await file.close();
    }
  }
}
