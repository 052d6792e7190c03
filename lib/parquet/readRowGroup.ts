import { type Data, makeData, RecordBatch, Schema, Struct } from 'apache-arrow';
import { messageOf, Ncs4cvrError } from '../base/errors.ts';
import { encodeFooter, MAGIC, type PlacedChunk } from './encodeFooter.ts';
import type { ParquetShard } from './openShard.ts';
import { type ReadColumn, type RowGroupReads, rowGroupReads } from './rowGroupReads.ts';
import { DecoderPanic, decodeBatches } from './wasmDecoder.ts';

export interface ReadOptions {
  /** Rows in every batch but a row group's last. Default 65,536. */
  readonly batchRows?: number;
}

const DEFAULT_BATCH_ROWS = 65_536;
/**
 * Columns are decoded together up to about this size. WASM memory never shrinks and holds decoded values twice (as arrays
 * and as an IPC stream), so a row group of hundreds of megabytes must not go through it in one piece.
 */
const DECODE_BYTES = 32 * 1024 * 1024;

/**
 * Reads some top-level columns of one row group. Only the bytes of their column chunks are read. Memory: those bytes, the
 * decoded batches (both garbage collected), and WASM memory for about 32 MiB of columns or the largest column.
 *
 * @param columns at least one; the batches have them in this order
 * @returns batches in row order, none for an empty row group; a null slot's value is undefined, read the validity bitmap
 * @throws Ncs4cvrError with codes of rowGroupReads, SHARD_PAGE_CORRUPT, SHARD_ROW_COUNT_MISMATCH, SHARD_DECODER_PANIC;
 * StorageError of the file
 */
export async function readRowGroup(
  shard: ParquetShard,
  rowGroup: number,
  columns: readonly string[],
  { batchRows = DEFAULT_BATCH_ROWS }: ReadOptions = {},
): Promise<RecordBatch[]> {
  if (columns.length === 0) throw new RangeError('readRowGroup needs at least one column');
  if (!Number.isSafeInteger(batchRows) || batchRows < 1) throw new RangeError(`batchRows is ${batchRows}`);
  const reads = rowGroupReads(shard, rowGroup, columns);
  if (reads.rowCount === 0) return [];
  const buffer = await readRanges(shard, reads);
  const decoded = splitColumns(reads.columns).map((some) =>
    decodeColumns(shard, reads, buffer, some, batchRows),
  );
  return joinColumns(decoded);
}

async function readRanges(shard: ParquetShard, { bufferBytes, ranges }: RowGroupReads): Promise<Uint8Array> {
  // allocUnsafeSlow: not zeroed, not from Node's shared pool. Every byte is overwritten or the read throws.
  const buffer = Buffer.allocUnsafeSlow(bufferBytes);
  const reads = ranges.map(({ startByte, endByte, targetByte }) =>
    shard.file.readInto(buffer.subarray(targetByte, targetByte + endByte - startByte), startByte),
  );
  // Wait for all, also after a failure: the caller may close the file as soon as this function throws.
  for (const read of await Promise.allSettled(reads)) {
    if (read.status === 'rejected') throw read.reason;
  }
  return buffer;
}

/** Neighbours of up to `DECODE_BYTES` together. */
function splitColumns(columns: readonly ReadColumn[]): ReadColumn[][] {
  const split: ReadColumn[][] = [];
  let splitBytes = Number.POSITIVE_INFINITY;
  for (const column of columns) {
    const bytes = column.chunks.reduce((sum, chunk) => sum + decodedBytes(chunk), 0);
    if (splitBytes + bytes > DECODE_BYTES) {
      split.push([]);
      splitBytes = 0;
    }
    split.at(-1)!.push(column);
    splitBytes += bytes;
  }
  return split;
}

/** A guess: dictionary-encoded chunks decode to more than their uncompressed size. */
function decodedBytes({ uncompressedBytes, valueCount }: PlacedChunk): number {
  return Math.max(uncompressedBytes, 8 * valueCount);
}

/** Decodes some of the columns that were read. A failure is traced to the column at fault by decoding each alone. */
function decodeColumns(
  shard: ParquetShard,
  reads: RowGroupReads,
  buffer: Uint8Array,
  columns: readonly ReadColumn[],
  batchRows: number,
): RecordBatch[] {
  const place = {
    file: shard.uri,
    rowGroup: reads.rowGroup,
    ...(columns.length === 1 ? { column: columns[0]!.column.name } : {}),
  };
  let batches: RecordBatch[];
  try {
    batches = decodeBatches(assembleFile(reads.rowCount, buffer, columns), batchRows);
  } catch (cause) {
    if (cause instanceof DecoderPanic) {
      throw new Ncs4cvrError(
        'SHARD_DECODER_PANIC',
        'the decoder panicked; the data is corrupt or too large',
        {
          ...place,
          found: cause.message,
          cause,
        },
      );
    }
    for (const column of columns.length > 1 ? columns : []) {
      decodeColumns(shard, reads, buffer, [column], batchRows);
    }
    const types = columns.map(({ column }) => typeOf(shard, column.name));
    throw new Ncs4cvrError('SHARD_PAGE_CORRUPT', 'the column data cannot be decoded', {
      ...place,
      expected: types.join(', '),
      found: messageOf(cause),
      cause,
    });
  }
  const rows = batches.reduce((sum, batch) => sum + batch.numRows, 0);
  if (rows !== reads.rowCount) {
    throw new Ncs4cvrError('SHARD_ROW_COUNT_MISMATCH', 'the column data has another number of rows', {
      ...place,
      expected: `${reads.rowCount} rows`,
      found: `${rows}`,
    });
  }
  return batches;
}

function typeOf(shard: ParquetShard, column: string): string {
  return String(shard.schema.fields.find(({ name }) => name === column)?.type);
}

/** A complete Parquet file of one row group: magic, the columns' chunks, footer. */
function assembleFile(rowCount: number, buffer: Uint8Array, read: readonly ReadColumn[]): Uint8Array {
  const pieces: Uint8Array[] = [MAGIC];
  let position = MAGIC.length;
  const chunks = read
    .flatMap((column) => column.chunks)
    .map((chunk) => {
      pieces.push(buffer.subarray(chunk.startByte, chunk.endByte));
      const startByte = position;
      position += chunk.endByte - chunk.startByte;
      return { ...chunk, startByte, endByte: position };
    });
  const columns = read.map(({ column }) => column);
  return Buffer.concat([...pieces, encodeFooter(columns, rowCount, chunks)]);
}

/** Puts columns that were decoded apart side by side; all have batches of the same lengths. */
function joinColumns(decoded: readonly RecordBatch[][]): RecordBatch[] {
  const first = decoded[0]!;
  if (decoded.length === 1) return first;
  const schema = new Schema(decoded.flatMap((batches) => batches[0]!.schema.fields));
  return first.map((batch, index) => {
    const children: Data[] = decoded.flatMap((batches) => {
      const data = batches[index]!.data;
      if (data.length !== batch.numRows) throw new Error('batches of one row group differ in length');
      return data.children;
    });
    return new RecordBatch(
      schema,
      makeData({ type: new Struct(schema.fields), length: batch.numRows, nullCount: 0, children }),
    );
  });
}
