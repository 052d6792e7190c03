import type { RecordBatch, Schema } from 'apache-arrow';
import { inspectPredictions } from '../arrow/inspectPredictions.ts';
import { columnOf, isRowKeyType, ROW_KEY_TYPES } from '../base/arrowColumns.ts';
import { Ncs4cvrError } from '../base/errors.ts';
import { SCORE_NAMES, type ScoreName } from '../base/tasks.ts';
import { PartKeyScan, type ScannedKeys } from '../keys/partKeyScan.ts';
import { SCORE_BINS, scoreBinOf } from '../profile/scoreHistogram.ts';
import type { FileStat } from '../storage/storage.ts';
import type { Part } from './part.ts';

interface ScoreStatistics {
  readonly min: number | null;
  readonly max: number | null;
  readonly mean: number | null;
  readonly counts: readonly number[];
}

/** What reading a part back has shown. */
export interface ReadBack {
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly statistics: Readonly<Record<ScoreName, ScoreStatistics>>;
  readonly keys: Omit<ScannedKeys, 'fingerprintBytes'>;
  readonly fingerprintBytes: Uint8Array;
}

/**
 * Reads a part once, whatever is told of it: its digest, its scores and its row keys. Holds 16 bytes per row beside what
 * inspectPredictions holds.
 * @param keyColumns the contract's row keys
 * @param written as in writeReceipt
 * @throws Ncs4cvrError PUBLISH_PART_INVALID when it isn't what was to be scored: rows, columns, nulls, scores outside of [0, 1],
 * or a pCTCVR that isn't the float32 product of pCTR and pCVR
 */
export async function readBackPart(
  uri: string,
  { rows, spans }: Pick<Part, 'rows' | 'spans'>,
  keyColumns: readonly string[],
  written?: FileStat,
): Promise<ReadBack> {
  let scan: PartKeyScan | undefined;
  let rowsSeen = 0;
  const scores = new ScoreRows();
  const wanted = [...keyColumns, ...SCORE_NAMES];
  const observe = (schema: Schema) => {
    const found = schema.fields.map(({ name }) => name);
    if (found.join() !== wanted.join()) throw invalidPart(uri, wanted.join(', '), found.join(', '));
    for (const { name, type } of schema.fields.slice(0, keyColumns.length)) {
      if (!isRowKeyType(type)) throw invalidPart(uri, `${ROW_KEY_TYPES} ${name}`, String(type));
    }
    scan = new PartKeyScan(
      schema,
      keyColumns,
      spans.map((span) => span.rows),
    );
    return (batch: RecordBatch) => {
      rowsSeen += batch.numRows;
      // They are counted to their end, for the error.
      if (rowsSeen > rows) return;
      scan!.add(batch);
      scores.add(batch);
    };
  };
  const found = await inspectPredictions(uri, SCORE_NAMES, { known: written, observe });
  if (found.rowCount !== rows) throw invalidPart(uri, `${rows} rows`, `${found.rowCount}`);
  for (const [name, nullCount] of found.nullCounts) {
    if (nullCount > 0) throw invalidPart(uri, `no nulls in ${name}`, `${nullCount}`);
  }
  const [pctr, pcvr, pctcvr] = SCORE_NAMES.map((name, index) => {
    const { outside, ...statistics } = found.statistics.get(name)!;
    if (outside !== undefined) throw invalidPart(uri, `${name} from 0 to 1`, String(outside));
    return { ...statistics, counts: [...scores.counts[index]!] };
  });
  if (scores.notProduct !== undefined) throw invalidPart(uri, 'pctcvr = pctr × pcvr', scores.notProduct);
  const { fingerprintBytes, ...keys } = scan!.finish();
  const { sizeBytes, sha256 } = found;
  const statistics = { pctr: pctr!, pcvr: pcvr!, pctcvr: pctcvr! };
  return { sizeBytes, sha256, statistics, keys, fingerprintBytes };
}

/** Counts scores, and looks whether the third is the product of the others as the scoring graph multiplies: in float32. */
class ScoreRows {
  readonly counts = SCORE_NAMES.map(() => new Float64Array(SCORE_BINS));
  /** The first row where it isn't. */
  notProduct: string | undefined;
  #rows = 0;

  add(batch: RecordBatch): void {
    const [pctr, pcvr, pctcvr] = SCORE_NAMES.map((name, index) => {
      const values = (columnOf(batch, name)!.values as Float32Array).subarray(0, batch.numRows);
      count(values, this.counts[index]!);
      return values;
    }) as [Float32Array, Float32Array, Float32Array];
    for (let row = 0; row < pctr.length; row++) {
      if (pctcvr[row] === Math.fround(pctr[row]! * pcvr[row]!)) continue;
      this.notProduct ??= `${pctcvr[row]} for ${pctr[row]} × ${pcvr[row]} in row ${this.#rows + row}`;
      break;
    }
    this.#rows += pctr.length;
  }
}

function count(values: Float32Array, counts: Float64Array): void {
  const bits = new Int32Array(values.buffer, values.byteOffset, values.length);
  for (const each of bits) {
    // What is no score has no bin: the part is refused.
    const bin = scoreBinOf(each);
    if (bin < SCORE_BINS) counts[bin]!++;
  }
}

function invalidPart(uri: string, expected: string, found: string): Ncs4cvrError {
  return new Ncs4cvrError('PUBLISH_PART_INVALID', "a part isn't what was to be scored", {
    file: uri,
    expected,
    found,
  });
}
