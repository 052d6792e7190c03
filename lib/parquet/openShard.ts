import type { Schema } from 'apache-arrow';
import type { SchemaElement } from 'hyparquet';
import { messageOf, Ncs4cvrError } from '../base/errors.ts';
import { storageFor } from '../storage/openStorage.ts';
import type { FileStat, RandomAccessFile } from '../storage/storage.ts';
import { parseSchema } from './footerSchema.ts';
import { type Footer, type FooterChunk, parseFooter } from './parseFooter.ts';
import { type ArrowSchema, readArrowSchema } from './readArrowSchema.ts';
import { readFooterBytes } from './readFooter.ts';
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
  /** Arrow types of the readable columns, in the order of `columns`. */
  readonly schema: Schema;
  /** Columns that cannot be read, with the reason. */
  readonly unreadableColumns: ReadonlyMap<string, string>;
  readonly file: RandomAccessFile;
  /** Top-level columns in file order, then fields of structs; for rowGroupReads. Shards of one schema mostly share these objects. */
  readonly columns: readonly ShardColumn[];
  /** Of each row group, one per leaf of the columns; not checked. */
  readonly chunks: readonly (readonly FooterChunk[])[];
  /** First byte after the column data. */
  readonly dataEndByte: number;
}

/**
 * Reads a shard's footer: at most two range reads at the end of the file. A shard without rows is valid.
 *
 * @param whole all bytes of the file, where they have been read already
 * @throws Ncs4cvrError SHARD_NOT_PARQUET, SHARD_TRUNCATED, SHARD_ENCRYPTED, SHARD_FOOTER_INVALID,
 * SHARD_DECODER_PANIC; StorageError of the file.
 */
export async function openShard(file: RandomAccessFile, whole?: Uint8Array): Promise<ParquetShard> {
  const { footer: footerBytes, footerStartByte } = await readFooterBytes(file, { whole });
  const { footer, elements } = parse(footerBytes, file.uri);
  try {
    const { columns, arrow } = schemaOf(footer.schemaBytes, elements);
    const rowGroups = rowGroupRows(footer, columns);
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
      chunks: footer.rowGroups.map(({ chunks }) => chunks),
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

/**
 * Opens a shard for as long as something is read of it.
 * @param known version of a listing, see Storage.open; the one that there is now by default
 * @param read not to be kept beyond its end: the file is closed then
 */
export async function withShard<Found>(
  uri: string,
  known: FileStat | undefined,
  read: (shard: ParquetShard) => Found | Promise<Found>,
): Promise<Found> {
  const file = await storageFor(uri).open(uri, known);
  try {
    return await read(await openShard(file));
  } finally {
    await file.close();
  }
}

interface KnownSchema {
  readonly bytes: Uint8Array;
  readonly columns: readonly ShardColumn[];
  readonly arrow: ArrowSchema;
}

/** Shards of a partition have one schema, seldom two: working its Arrow types out costs more than parsing a small footer. */
let lastSchema: KnownSchema | undefined;

/** `elements`: of the schema, unless it is the last one. */
function parse(footerBytes: Uint8Array, file: string): { footer: Footer; elements?: SchemaElement[] } {
  try {
    const footer = parseFooter(footerBytes);
    const { schemaBytes } = footer;
    const isLast = lastSchema !== undefined && Buffer.compare(lastSchema.bytes, schemaBytes) === 0;
    return isLast ? { footer } : { footer, elements: parseSchema(schemaBytes) };
  } catch (cause) {
    throw new Ncs4cvrError('SHARD_FOOTER_INVALID', 'the footer cannot be parsed', {
      file,
      found: messageOf(cause),
      cause,
    });
  }
}

/** @throws Error when the schema tree is not well formed; DecoderPanic */
function schemaOf(bytes: Uint8Array, elements: SchemaElement[] | undefined): KnownSchema {
  if (elements !== undefined) {
    const columns = shardColumns(elements);
    // A copy, which `slice` of a Buffer is not: the bytes are a view of the shard's.
    lastSchema = { bytes: Uint8Array.from(bytes), columns, arrow: readArrowSchema(columns) };
  }
  return lastSchema!;
}

function rowGroupRows(footer: Footer, columns: readonly ShardColumn[]): RowGroupRows[] {
  const topLevel = columns.filter(({ structDepth }) => structDepth === undefined);
  const leafCount = topLevel.reduce((sum, { leaves }) => sum + leaves.length, 0);
  let rowStart = 0;
  const rowGroups = footer.rowGroups.map(({ chunks, rowCount = Number.NaN }, index) => {
    if (chunks.length !== leafCount) {
      throw new Error(`row group ${index} has ${chunks.length} column chunks, the schema ${leafCount}`);
    }
    if (!Number.isSafeInteger(rowCount) || rowCount < 0 || !Number.isSafeInteger(rowStart + rowCount)) {
      throw new Error(`row group ${index} has ${rowCount} rows`);
    }
    const rows = { rowStart, rowCount };
    rowStart += rowCount;
    return rows;
  });
  if (rowStart !== footer.rowCount) {
    throw new Error(`the file has ${footer.rowCount} rows, its row groups ${rowStart}`);
  }
  return rowGroups;
}
