import { FALSE, INT32, STOP, STRUCT, TRUE } from './compactReader.ts';
import type { CompactWriter } from './compactWriter.ts';

/** Kinds of pages by their numbers in parquet.thrift, each with what its header says of it. */
export type PageKind =
  | { readonly kind: 'dictionary'; readonly valueCount: number; readonly encoding: number }
  | {
      readonly kind: 'data';
      readonly valueCount: number;
      readonly encoding: number;
      readonly definitionEncoding: number;
      readonly repetitionEncoding: number;
    }
  | {
      readonly kind: 'dataV2';
      readonly valueCount: number;
      readonly encoding: number;
      readonly definitionBytes: number;
      readonly repetitionBytes: number;
      readonly isPacked: boolean;
    };

/** More than any of these headers takes. */
export const PAGE_HEADER_BYTES = 64;

/** The number of each kind, and of the field that its own header is. */
const KINDS = {
  data: { type: 0, field: 5 },
  dictionary: { type: 2, field: 7 },
  dataV2: { type: 3, field: 8 },
} as const;
const COMPRESSED_BYTES = 3;

/** PageHeader in Thrift's compact protocol. Of the second version's nulls and rows, which arrow-rs does without, it says 0. */
export function writePageHeader(
  writer: CompactWriter,
  unpackedBytes: number,
  packedBytes: number,
  page: PageKind,
): void {
  const { type, field } = KINDS[page.kind];
  writer.writeInteger(1, INT32, type);
  writer.writeInteger(1, INT32, unpackedBytes);
  writer.writeInteger(1, INT32, packedBytes);
  writer.writeHead(field - COMPRESSED_BYTES, STRUCT);
  writer.writeInteger(1, INT32, page.valueCount);
  if (page.kind === 'dataV2') {
    writer.writeInteger(1, INT32, 0);
    writer.writeInteger(1, INT32, 0);
  }
  writer.writeInteger(1, INT32, page.encoding);
  if (page.kind === 'data') {
    writer.writeInteger(1, INT32, page.definitionEncoding);
    writer.writeInteger(1, INT32, page.repetitionEncoding);
  } else if (page.kind === 'dataV2') {
    writer.writeInteger(1, INT32, page.definitionBytes);
    writer.writeInteger(1, INT32, page.repetitionBytes);
    writer.writeHead(1, page.isPacked ? TRUE : FALSE);
  }
  writer.writeByte(STOP);
  writer.writeByte(STOP);
}
