import type { RecordBatch, Schema } from 'apache-arrow';
import { columnOf } from '../base/arrowColumns.ts';
import { Ncs4cvrError } from '../base/errors.ts';
import { storageFor } from '../storage/openStorage.ts';
import type { FileStat } from '../storage/storage.ts';
import { openPredictions } from './readPredictions.ts';
import { SequentialFile } from './sequentialFile.ts';

/** Of one score column; null in a file without rows. NaN in any row makes them NaN. */
interface ColumnStatistics {
  readonly min: number | null;
  readonly max: number | null;
  /** Sum of the rows in their order, as float64, by their number. */
  readonly mean: number | null;
  /** The first value that isn't in [0, 1]; NaN is none either. */
  readonly outside: number | undefined;
}

export interface InspectedPredictions {
  readonly rowCount: number;
  readonly sizeBytes: number;
  /** Of all bytes, hexadecimal. */
  readonly sha256: string;
  /** Column names in file order. */
  readonly columns: readonly string[];
  readonly metadata: ReadonlyMap<string, string>;
  /** Nulls of every column by its name. */
  readonly nullCounts: ReadonlyMap<string, number>;
  /** By name, of the columns asked for. */
  readonly statistics: ReadonlyMap<string, ColumnStatistics>;
}

export interface InspectOptions {
  /** The version that the caller has written, see Storage.open. */
  readonly known?: FileStat | undefined;
  /** Called once, with the schema; what it gives back gets every batch, in file order. */
  readonly observe?: (schema: Schema) => (batch: RecordBatch) => void;
}

/**
 * Reads a prediction file back, piece by piece: its digest, rows, nulls, and statistics of its scores. Holds a few pieces of
 * 64 MiB, however large the file is.
 * @param scoreNames float32 columns
 * @throws Ncs4cvrError PREDICTION_FILE_INVALID, also when a column of `scoreNames` is missing or no float32; StorageError
 */
export async function inspectPredictions(
  uri: string,
  scoreNames: readonly string[],
  { known, observe }: InspectOptions = {},
): Promise<InspectedPredictions> {
  const file = new SequentialFile(await storageFor(uri).open(uri, known));
  try {
    const { schema, batches } = await openPredictions(file);
    const columns = schema.fields.map(({ name }) => name);
    for (const name of scoreNames) {
      const type = schema.fields.find((field) => field.name === name)?.type;
      if (String(type) === 'Float32') continue;
      throw new Ncs4cvrError('PREDICTION_FILE_INVALID', "this isn't a whole prediction file", {
        file: uri,
        column: name,
        expected: 'Float32',
        found: type === undefined ? `the columns ${columns.join(', ')}` : String(type),
      });
    }
    const nullCounts = new Map(columns.map((name) => [name, 0]));
    const scores = scoreNames.map((name) => new ScoreColumn(name));
    const observeBatch = observe?.(schema);
    let rowCount = 0;
    for await (const batch of batches) {
      rowCount += batch.numRows;
      for (const name of columns)
        nullCounts.set(name, nullCounts.get(name)! + columnOf(batch, name)!.nullCount);
      for (const column of scores) column.add(batch);
      observeBatch?.(batch);
    }
    const { sizeBytes } = file;
    const statistics = new Map(scores.map((column) => [column.name, column.statistics]));
    const { metadata } = schema;
    return { rowCount, sizeBytes, sha256: await file.digest(), columns, metadata, nullCounts, statistics };
  } finally {
    await file.close();
  }
}

class ScoreColumn {
  readonly name: string;
  #rows = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;
  #sum = 0;
  #outside: number | undefined;

  constructor(name: string) {
    this.name = name;
  }

  add(batch: RecordBatch): void {
    const values = (columnOf(batch, this.name)!.values as Float32Array).subarray(0, batch.numRows);
    let [min, max, sum] = [this.#min, this.#max, this.#sum];
    for (const value of values) {
      if (!(value >= 0 && value <= 1)) this.#outside ??= value;
      min = Math.min(min, value);
      max = Math.max(max, value);
      sum += value;
    }
    [this.#min, this.#max, this.#sum] = [min, max, sum];
    this.#rows += values.length;
  }

  get statistics(): ColumnStatistics {
    if (this.#rows === 0) return { min: null, max: null, mean: null, outside: undefined };
    return { min: this.#min, max: this.#max, mean: this.#sum / this.#rows, outside: this.#outside };
  }
}
