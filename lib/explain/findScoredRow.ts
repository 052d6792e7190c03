import type { RecordBatch, Schema } from 'apache-arrow';
import { rowKeysOf } from '../arrow/predictionSchema.ts';
import { openPredictions } from '../arrow/readPredictions.ts';
import { RowKeyBytes } from '../arrow/rowKeyBytes.ts';
import { keyBytesOf, keyTexts } from '../arrow/rowKeyText.ts';
import { SequentialFile } from '../arrow/sequentialFile.ts';
import { columnOf } from '../base/arrowColumns.ts';
import { Ncs4cvrError } from '../base/errors.ts';
import { counted } from '../base/formatCount.ts';
import { SCORE_NAMES } from '../base/tasks.ts';
import type { FoundState } from '../publish/findState.ts';
import { below } from '../publish/outputLayout.ts';
import { storageFor } from '../storage/openStorage.ts';

/** A row of a published part. */
export interface ScoredRow {
  /** The part's place in the manifest. */
  readonly part: number;
  /** From the part's first row. */
  readonly row: number;
  readonly keyColumns: readonly string[];
  /** All keys, as RowKeyBytes has them in the order of `keyColumns`. */
  readonly keyBytes: Uint8Array;
  /** By name, as text. */
  readonly keys: Readonly<Record<string, string | null>>;
  /** pctr, pcvr and pctcvr. */
  readonly scores: Float32Array;
}

/** Row keys by name, as text; what was given without a name is under the empty one, and refused. */
export type WantedKeys = Readonly<Record<string, string>>;

/**
 * Reads all parts of a state for a row.
 * @param wanted one row key at least
 * @returns the first row that has these keys, and how many rows have them
 * @throws Ncs4cvrError EXPLAIN_NO_ROW, EXPLAIN_KEY_INVALID for a key that isn't one or can't have such a value
 */
export async function findScoredRow(
  { root, partition, manifest }: FoundState,
  wanted: WantedKeys,
): Promise<{ readonly found: ScoredRow; readonly matches: number }> {
  const names = Object.keys(wanted);
  let first: ScoredRow | undefined;
  let matches = 0;
  let other: Keys | undefined;
  for (const [part, { path }] of manifest.parts.entries()) {
    const uri = below(root, path);
    const file = new SequentialFile(await storageFor(uri).open(uri));
    try {
      const { schema, batches } = await openPredictions(file);
      const bytes = wantedBytes(wanted, schema, uri);
      const keys = new RowKeyBytes(names);
      let rowsBefore = 0;
      for await (const batch of batches) {
        keys.use(batch);
        const keysOf = keyReader(batch, schema);
        if (batch.numRows > 0) other ??= keysOf(0).keys;
        for (let row = 0; row < batch.numRows; row++) {
          const length = keys.read(row);
          if (length !== bytes.length || bytes.compare(keys.bytes, 0, length) !== 0) continue;
          matches++;
          if (first !== undefined) continue;
          const scores = SCORE_NAMES.map((name) => (columnOf(batch, name)!.values as Float32Array)[row]!);
          first = {
            part,
            row: rowsBefore + row,
            ...keysOf(row),
            scores: Float32Array.from(scores),
          };
        }
        rowsBefore += batch.numRows;
      }
    } finally {
      await file.close();
    }
  }
  if (first !== undefined) return { found: first, matches };
  throw new Ncs4cvrError('EXPLAIN_NO_ROW', 'no published row of this partition has these keys', {
    file: below(root, `pointers/${partition}.json`),
    expected: textOf(wanted),
    found: `${counted(manifest.rows, 'other row')}${other === undefined ? '' : `, such as ${textOf(other)}`}`,
  });
}

type Keys = ScoredRow['keys'];

function textOf(keys: Keys): string {
  return Object.entries(keys)
    .map(([name, text]) => `${name} = ${text}`)
    .join(', ');
}

/** All keys of a batch's rows. */
function keyReader(
  batch: RecordBatch,
  schema: Schema,
): (row: number) => Pick<ScoredRow, 'keyColumns' | 'keyBytes' | 'keys'> {
  const { names: keyColumns, types } = rowKeysOf(schema);
  const whole = new RowKeyBytes(keyColumns);
  whole.use(batch);
  return (row) => {
    const keyBytes = whole.bytes.slice(0, whole.read(row));
    const texts = keyTexts(keyBytes, types);
    return {
      keyColumns,
      keyBytes,
      keys: Object.fromEntries(keyColumns.map((name, index) => [name, texts[index]!])),
    };
  };
}

/** The bytes of a row with these keys, in their order. */
function wantedBytes(wanted: WantedKeys, schema: Schema, file: string): Buffer {
  const { names, types } = rowKeysOf(schema);
  return Buffer.concat(
    Object.entries(wanted).map(([name, text]) => {
      const type = types[names.indexOf(name)];
      const bytes = type === undefined ? undefined : keyBytesOf(text, type);
      if (bytes !== undefined) return bytes;
      const isNamed = name !== '';
      const expected = isNamed ? `one of the row keys ${names.join(', ')}` : namedKeys(names);
      throw new Ncs4cvrError('EXPLAIN_KEY_INVALID', "a row can't be looked for by this key", {
        file,
        ...(isNamed ? { column: name } : {}),
        expected: type === undefined ? expected : `a value of type ${type}`,
        ...(type === undefined && isNamed ? {} : { found: text }),
      });
    }),
  );
}

const namedKeys = (names: readonly string[]): string => names.map((name) => `${name}=VALUE`).join(' or ');
