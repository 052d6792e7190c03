import type { RowGroupReads } from '../parquet/rowGroupReads.ts';

/** Rows `[start, end)` of a row group. */
interface RowRange {
  readonly start: number;
  readonly end: number;
}

/** How many rows of a row group are to be scored. */
export function requestedRows({ reads, rows }: RequestedRowGroup): number {
  return rows === undefined ? reads.rowCount : rows.end - rows.start;
}

/** One row group of one shard, with all that is to be known from the shard's footer: a worker reads no files. */
export interface RequestedRowGroup {
  /** The span's place among the spans: rows are counted by span, too. */
  readonly span: number;
  readonly uri: string;
  readonly sizeBytes: number;
  /** The version of the bytes that the footer came from; another one is an error. */
  readonly version: string;
  /** Of the columns to pass on and the features that the shard has. Never empty of rows. */
  readonly reads: RowGroupReads;
  /** Its rows to be scored; all by default. */
  readonly rows?: RowRange;
  /** The bytes of `reads` where they came with the footer. */
  readonly buffer?: Uint8Array;
}

/** A row group whose bytes have been read. */
export interface ReadRowGroup extends RequestedRowGroup {
  readonly buffer: Uint8Array;
}
