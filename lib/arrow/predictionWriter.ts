import {
  type Data,
  type Field,
  Float32,
  makeData,
  RecordBatch,
  type Schema,
  Struct,
  util,
} from 'apache-arrow';
import { columnOf } from '../base/arrowColumns.ts';
import { Ncs4cvrError } from '../base/errors.ts';
import { SCORE_NAMES } from '../base/tasks.ts';
import type { AtomicFile } from '../storage/storage.ts';
import { ArrowFile, type WrittenPredictions } from './arrowFile.ts';
import { predictionSchema } from './predictionSchema.ts';

export interface PredictionWriterOptions {
  /** Where the bytes go. The caller commits it after `finish`. */
  readonly file: AtomicFile;
  /** The row keys with the types they have in the shard. */
  readonly keyFields: readonly Field[];
  readonly metadata: ReadonlyMap<string, string>;
}

/** B scored rows in input order. */
export interface PredictionBatch {
  /** The key columns: a record batch that holds them by name (others are ignored), or one Data per key field. */
  readonly keys: RecordBatch | readonly Data[];
  /** P(click | impression) [B]. */
  readonly pctr: Float32Array;
  /** P(conversion | click) [B]. */
  readonly pcvr: Float32Array;
  /** P(click and conversion | impression) [B]. */
  readonly pctcvr: Float32Array;
}

/**
 * Writes one Arrow IPC file: row keys, `pctr`, `pcvr`, `pctcvr`. Holds no more than a batch: its bytes have reached
 * the file when `write` resolves, and the batch's memory may then be reused. Await each call before the next.
 */
export class PredictionWriter {
  readonly #file: AtomicFile;
  readonly #keyFields: readonly Field[];
  readonly #schema: Schema;
  readonly #arrowFile: ArrowFile;
  #isOpen = true;

  private constructor(file: AtomicFile, keyFields: readonly Field[], schema: Schema) {
    this.#file = file;
    this.#keyFields = keyFields;
    this.#schema = schema;
    this.#arrowFile = new ArrowFile(file, schema);
  }

  /** @throws Ncs4cvrError PREDICTION_KEY_UNSUPPORTED, PREDICTION_COLUMN_CLASH; StorageError of the file */
  static async open({ file, keyFields, metadata }: PredictionWriterOptions): Promise<PredictionWriter> {
    const writer = new PredictionWriter(file, keyFields, predictionSchema(keyFields, metadata));
    await writer.#arrowFile.flush();
    return writer;
  }

  /**
   * Small batches are cheaper to write together: a call of the file's `write` for all of them.
   * @throws Ncs4cvrError PREDICTION_KEY_MISMATCH, PREDICTION_ROWS_LOST; StorageError of the file
   */
  async write(...batches: readonly PredictionBatch[]): Promise<void> {
    this.#refuseUnlessOpen();
    await this.#arrowFile.write(...batches.flatMap((batch) => this.#recordBatch(batch)));
  }

  /**
   * Writes the footer. A file without rows is valid. The caller commits the file.
   * @throws Ncs4cvrError PREDICTION_ROWS_LOST; StorageError of the file
   */
  async finish(): Promise<WrittenPredictions> {
    this.#refuseUnlessOpen();
    this.#isOpen = false;
    return this.#arrowFile.finish();
  }

  /** Gives the file up and removes what was written. */
  async abort(): Promise<void> {
    this.#isOpen = false;
    await this.#file.abort();
  }

  /** None without rows: it would say nothing, and empty key columns may lack the buffers that the Arrow writer expects. */
  #recordBatch({ keys, pctr, pcvr, pctcvr }: PredictionBatch): RecordBatch[] {
    const rowCount = pctr.length;
    const keyColumns = this.#keyFields.map((field, index) => this.#keyColumn(keys, field, index, rowCount));
    const scoreColumns = [pctr, pcvr, pctcvr].map((scores, index) => {
      if (scores.length !== rowCount)
        throw this.#lengthMismatch(SCORE_NAMES[index]!, rowCount, scores.length);
      return makeData({ type: new Float32(), length: rowCount, nullCount: 0, data: scores });
    });
    if (rowCount === 0) return [];
    const type = new Struct(this.#schema.fields);
    const children = [...keyColumns, ...scoreColumns];
    const data = makeData({ type, length: rowCount, nullCount: 0, children });
    return [new RecordBatch(this.#schema, data)];
  }

  #keyColumn(keys: PredictionBatch['keys'], field: Field, index: number, rowCount: number): Data {
    const column = keys instanceof RecordBatch ? columnOf(keys, field.name) : keys[index];
    if (column === undefined) throw this.#keyMismatch(field, String(field.type), 'no such column');
    // RecordBatch doesn't compare: bytes of another type would be written and read as garbage.
    if (!util.compareTypes(field.type, column.type)) {
      throw this.#keyMismatch(field, String(field.type), String(column.type));
    }
    if (column.length !== rowCount) throw this.#lengthMismatch(field.name, rowCount, column.length);
    if (!field.nullable && column.nullCount > 0) {
      throw this.#keyMismatch(field, 'no nulls', `${column.nullCount} nulls`);
    }
    return column;
  }

  #refuseUnlessOpen(): void {
    if (this.#isOpen) return;
    throw new Ncs4cvrError('PREDICTION_WRITER_CLOSED', 'the file was finished or aborted before', {
      file: this.#file.uri,
    });
  }

  #keyMismatch(field: Field, expected: string, found: string): Ncs4cvrError {
    return new Ncs4cvrError('PREDICTION_KEY_MISMATCH', 'a batch of row keys does not fit the schema', {
      file: this.#file.uri,
      column: field.name,
      expected,
      found,
    });
  }

  #lengthMismatch(column: string, expectedRows: number, foundRows: number): Ncs4cvrError {
    return new Ncs4cvrError('PREDICTION_KEY_MISMATCH', 'the columns of a batch differ in length', {
      file: this.#file.uri,
      column,
      expected: `${expectedRows} rows`,
      found: `${foundRows} rows`,
    });
  }
}
