import { CompressionCodecs } from 'hyparquet/src/constants.js';
import type { ReadColumn, RowGroupReads } from '../parquet/rowGroupReads.ts';
import type { ShardColumn } from '../parquet/shardColumns.ts';
import type { DecodingRequest, RequestedRowGroup, ScoringRequest } from './scoringProtocol.ts';

/**
 * The reads of a request's row groups as they go from thread to thread: a message takes as long as it has objects, and each
 * row group of a table has hundreds of them, of which little but places in the file differs.
 */
export interface PackedReads {
  /** The sets of columns that the row groups have: JSON of `ShardColumn`s, in the order of the reads. */
  readonly columnSets: readonly string[];
  /** Of each row group the place of its columns among them. */
  readonly columnSetOf: readonly number[];
  /** `NUMBERS` of each chunk of each column of each row group, one behind the other. */
  readonly chunks: Float64Array<ArrayBuffer>;
}

/** A row group whose columns are in `PackedReads`. */
export interface PackedRowGroup extends Omit<RequestedRowGroup, 'reads'> {
  readonly reads: Omit<RowGroupReads, 'columns'>;
}

/** A request on its way to a thread. */
export type WorkerRequest = (
  | ({ readonly kind: 'score' } & Omit<ScoringRequest, 'rowGroups'>)
  | ({ readonly kind: 'decode' } & Omit<DecodingRequest, 'rowGroup'>)
) & {
  /** A single one to be decoded. */
  readonly rowGroups: readonly PackedRowGroup[];
  readonly packedReads: PackedReads;
};

/** Codec, values, unpacked bytes, first byte, last byte, offset of the first data page. */
const NUMBERS = 6;

export function packReads(rowGroups: readonly RequestedRowGroup[]): {
  readonly rowGroups: readonly PackedRowGroup[];
  readonly packedReads: PackedReads;
} {
  let chunkCount = 0;
  for (const { reads } of rowGroups) for (const { chunks } of reads.columns) chunkCount += chunks.length;
  const chunks = new Float64Array(chunkCount * NUMBERS);
  let at = 0;
  const columnSets: string[] = [];
  const columnSetOf: number[] = [];
  for (const { reads } of rowGroups) {
    const text = textOf(reads.columns);
    const known = columnSets.lastIndexOf(text);
    columnSetOf.push(known < 0 ? columnSets.push(text) - 1 : known);
    for (const column of reads.columns) {
      for (const chunk of column.chunks) {
        chunks[at++] = CompressionCodecs.indexOf(chunk.codec);
        chunks[at++] = chunk.valueCount;
        chunks[at++] = chunk.uncompressedBytes;
        chunks[at++] = chunk.startByte;
        chunks[at++] = chunk.endByte;
        chunks[at++] = chunk.dataPageOffset;
      }
    }
  }
  const packed = rowGroups.map(({ span, uri, sizeBytes, version, reads, rows, buffer }) => {
    const { rowGroup, rowCount, ranges, bufferBytes } = reads;
    return {
      ...{ span, uri, sizeBytes, version, reads: { rowGroup, rowCount, ranges, bufferBytes } },
      ...(rows === undefined ? {} : { rows }),
      ...(buffer === undefined ? {} : { buffer }),
    };
  });
  return { rowGroups: packed, packedReads: { columnSets, columnSetOf, chunks } };
}

/** Of row groups whose columns are the same objects, all columns are. */
export function unpackReads(
  rowGroups: readonly PackedRowGroup[],
  { columnSets, columnSetOf, chunks }: PackedReads,
): RequestedRowGroup[] {
  let at = 0;
  const sets = columnSets.map(columnsOf);
  return rowGroups.map((rowGroup, index) => {
    const columns = sets[columnSetOf[index]!]!.map((column): ReadColumn => {
      const placed = column.leaves.map(({ element }) => {
        const start = at;
        at += NUMBERS;
        return {
          // As rowGroupReads has seen to.
          type: element.type!,
          codec: CompressionCodecs[chunks[start]!]!,
          valueCount: chunks[start + 1]!,
          uncompressedBytes: chunks[start + 2]!,
          startByte: chunks[start + 3]!,
          endByte: chunks[start + 4]!,
          dataPageOffset: chunks[start + 5]!,
        };
      });
      return { column, chunks: placed };
    });
    return { ...rowGroup, reads: { ...rowGroup.reads, columns } };
  });
}

/** Of the columns that were packed last. */
let lastText: { readonly columns: readonly ShardColumn[]; readonly text: string } | undefined;

function textOf(read: readonly ReadColumn[]): string {
  const isLast =
    lastText?.columns.length === read.length &&
    read.every(({ column }, index) => column === lastText!.columns[index]);
  if (!isLast) {
    const columns = read.map(({ column }) => column);
    lastText = { columns, text: JSON.stringify(columns) };
  }
  return lastText!.text;
}

/** A thread gets few sets of columns, over and over; what is worked out of a column can be kept with it. */
const knownSets = new Map<string, readonly ShardColumn[]>();
const MOST_SETS = 64;

function columnsOf(text: string): readonly ShardColumn[] {
  let columns = knownSets.get(text);
  if (columns === undefined) {
    columns = JSON.parse(text) as readonly ShardColumn[];
    if (knownSets.size === MOST_SETS) knownSets.clear();
    knownSets.set(text, columns);
  }
  return columns;
}
