import type { RecordBatch, Schema } from 'apache-arrow';
import type { ColumnChunk } from 'hyparquet';
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import { columnOf } from '../base/arrowColumns.ts';
import { encodeFooter, MAGIC } from '../parquet/encodeFooter.ts';
import { encodeSchema } from '../parquet/footerSchema.ts';
import type { AtomicFile } from '../storage/storage.ts';
import { type ParquetColumn, type ParquetValue, parquetColumn } from './parquetColumns.ts';

/** Engines read a row group at a time; the values of one are held as JavaScript values, about 20 MB with one or two keys. */
const ROW_GROUP_ROWS = 131_072;

/**
 * A prediction file being written again as Parquet, batch by batch: its columns and rows in their order, its schema's string
 * map as the file's key-value metadata. Snappy, which every engine reads. Holds one row group. The caller commits the file.
 */
export class ParquetCopy {
  readonly #file: AtomicFile;
  readonly #columns: readonly ParquetColumn[];
  readonly #metadata: ReadonlyMap<string, string>;
  readonly #writer: ParquetWriter;
  #values: readonly ParquetValue[][] = [];
  #rowCount = 0;

  /**
   * @param metadata beside that of the schema
   * @throws Ncs4cvrError PREDICTION_KEY_UNSUPPORTED
   */
  constructor(file: AtomicFile, schema: Schema, metadata: Readonly<Record<string, string>>) {
    this.#file = file;
    this.#columns = schema.fields.map(parquetColumn);
    this.#metadata = new Map([...schema.metadata, ...Object.entries(metadata)]);
    this.#writer = new ParquetWriter({
      writer: new FileBytes(file),
      schema: [
        { name: 'schema', num_children: this.#columns.length },
        ...this.#columns.map(({ element }) => element),
      ],
      kvMetadata: [...this.#metadata].map(([key, value]) => ({ key, value })),
      createdBy: 'ncs4cvr',
    });
    this.#startRowGroup();
  }

  /** @param batch with the schema's columns @throws StorageError of the file */
  async write(batch: RecordBatch): Promise<void> {
    if (this.#rowCount + batch.numRows > ROW_GROUP_ROWS) await this.#writeRowGroup();
    this.#columns.forEach(({ name, appendTo }, index) => {
      appendTo(this.#values[index]!, columnOf(batch, name)!);
    });
    this.#rowCount += batch.numRows;
  }

  /** Writes the rest and the footer. @throws StorageError of the file */
  async finish(): Promise<void> {
    await this.#writeRowGroup();
    if (this.#writer.num_rows > 0n) await this.#writer.finish();
    else await this.#file.write(this.#withoutRows());
  }

  /** hyparquet-writer 0.17 writes the empty list of row groups as a list of nothing, which arrow-rs refuses. */
  #withoutRows(): Uint8Array {
    const columns = this.#columns.map(({ name, element }) => ({ name, elements: [element], leaves: [] }));
    return Buffer.concat([MAGIC, encodeFooter(encodeSchema(columns), [], this.#metadata)]);
  }

  /** In several row groups, if a single batch has more rows than one. */
  async #writeRowGroup(): Promise<void> {
    const columnData = this.#columns.map(({ name }, index) => ({ name, data: this.#values[index]! }));
    const { row_groups: rowGroups } = this.#writer;
    const before = rowGroups.length;
    await this.#writer.write({ columnData, rowGroupSize: ROW_GROUP_ROWS });
    for (const { columns } of rowGroups.slice(before)) columns.forEach(detachStatistics);
    this.#startRowGroup();
  }

  #startRowGroup(): void {
    this.#values = this.#columns.map(() => []);
    this.#rowCount = 0;
  }
}

/** Until the footer is written, bounds that are views of a batch's memory would keep all of a part's bytes. */
function detachStatistics({ meta_data }: ColumnChunk): void {
  const { statistics } = meta_data!;
  if (statistics?.min_value instanceof Uint8Array)
    statistics.min_value = Uint8Array.from(statistics.min_value);
  if (statistics?.max_value instanceof Uint8Array)
    statistics.max_value = Uint8Array.from(statistics.max_value);
}

/** Passes on to a file what a Parquet writer has written, row group by row group. */
class FileBytes extends ByteWriter {
  readonly #file: AtomicFile;

  constructor(file: AtomicFile) {
    super();
    this.#file = file;
  }

  /** Called after every row group. */
  async flush(): Promise<void> {
    await this.#file.write(this.getBytes());
    this.index = 0;
  }

  override finish(): Promise<void> {
    return this.flush();
  }
}
