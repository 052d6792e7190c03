import type { Schema } from 'apache-arrow';
import type { FileMetaData } from 'hyparquet';
import { messageOf, Ncs4cvrError } from '../base/errors.ts';
import type { RandomAccessFile } from '../storage/storage.ts';
import { type ArrowSchema, readArrowSchema } from './readArrowSchema.ts';
import { readFooter } from './readFooter.ts';
import { type ShardColumn, shardColumns } from './shardColumns.ts';
import { DecoderPanic } from './wasmDecoder.ts';

/** Rows `[rowStart, rowStart + rowCount)` of the shard. */
interface RowGroupRows {
  readonly rowStart: number;
  readonly rowCount: number;
}

/** A Parquet file whose footer has been read. Holds no column data. The caller closes `file`. */
export interface ParquetShard {
  readonly uri: string;
  readonly sizeBytes: number;
  /** Identifies the bytes, see RandomAccessFile. */
  readonly version: string;
  readonly rowCount: number;
  readonly rowGroups: readonly RowGroupRows[];
  /** Arrow types of the readable top-level columns, in file order. */
  readonly schema: Schema;
  /** Top-level columns that cannot be read, with the reason. */
  readonly unreadableColumns: ReadonlyMap<string, string>;
  readonly file: RandomAccessFile;
  /** The parsed footer and its columns, for rowGroupReads. Shards of one schema mostly share these columns' objects. */
  readonly columns: readonly ShardColumn[];
  readonly metadata: FileMetaData;
  /** First byte after the column data. */
  readonly dataEndByte: number;
}

/**
 * Reads a shard's footer: at most two range reads at the end of the file. A shard without rows is valid.
 *
 * @throws Ncs4cvrError SHARD_NOT_PARQUET, SHARD_TRUNCATED, SHARD_ENCRYPTED, SHARD_FOOTER_INVALID,
 * SHARD_DECODER_PANIC; StorageError of the file.
 */
export async function openShard(file: RandomAccessFile): Promise<ParquetShard> {
  const { metadata, footerStartByte } = await readFooter(file);
  try {
    const { columns, arrow } = schemaOf(metadata);
    const rowGroups = rowGroupRows(metadata, columns);
    const last = rowGroups.at(-1);
    return {
      uri: file.uri,
      sizeBytes: file.sizeBytes,
      version: file.version,
      rowCount: last === undefined ? 0 : last.rowStart + last.rowCount,
      rowGroups,
      ...arrow,
      file,
      columns,
      metadata,
      dataEndByte: footerStartByte,
    };
  } catch (cause) {
    const panicked = cause instanceof DecoderPanic;
    throw new Ncs4cvrError(
      panicked ? 'SHARD_DECODER_PANIC' : 'SHARD_FOOTER_INVALID',
      panicked ? 'the decoder panicked on the schema' : 'the footer contradicts itself',
      { file: file.uri, found: messageOf(cause), cause },
    );
  }
}

interface KnownSchema {
  readonly key: string;
  readonly columns: readonly ShardColumn[];
  readonly arrow: ArrowSchema;
}

/** Shards of a partition have one schema, seldom two: working its Arrow types out costs more than parsing a small footer. */
let lastSchema: KnownSchema | undefined;

/** @throws Error when the schema tree is not well formed; DecoderPanic */
function schemaOf(metadata: FileMetaData): KnownSchema {
  const key = JSON.stringify(metadata.schema);
  if (lastSchema?.key !== key) {
    const columns = shardColumns(metadata);
    lastSchema = { key, columns, arrow: readArrowSchema(columns) };
  }
  return lastSchema;
}

function rowGroupRows(metadata: FileMetaData, columns: readonly ShardColumn[]): RowGroupRows[] {
  const leafCount = columns.reduce((sum, column) => sum + column.leaves.length, 0);
  let rowStart = 0;
  const rowGroups = metadata.row_groups.map((group, index) => {
    if (group.columns.length !== leafCount) {
      throw new Error(
        `row group ${index} has ${group.columns.length} column chunks, the schema ${leafCount}`,
      );
    }
    const rowCount = Number(group.num_rows);
    if (!Number.isSafeInteger(rowCount) || rowCount < 0 || !Number.isSafeInteger(rowStart + rowCount)) {
      throw new Error(`row group ${index} has ${group.num_rows} rows`);
    }
    const rows = { rowStart, rowCount };
    rowStart += rowCount;
    return rows;
  });
  if (BigInt(rowStart) !== metadata.num_rows) {
    throw new Error(`the file has ${metadata.num_rows} rows, its row groups ${rowStart}`);
  }
  return rowGroups;
}
