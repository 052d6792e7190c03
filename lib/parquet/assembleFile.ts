import { checkPages, LARGEST_UNPACKED_BYTES } from './checkPages.ts';
import { encodeFooter, MAGIC } from './encodeFooter.ts';
import { encodeSchema } from './footerSchema.ts';
import { PageTable } from './pageTable.ts';
import { restatePages } from './restatePages.ts';
import type { ReadColumn, ReadRowGroupBytes } from './rowGroupReads.ts';

/** Of the chunk at hand; one per thread. */
const pages = new PageTable();

/** More than LARGEST_UNPACKED_BYTES together. */
export class UnpackedSizeError extends Error {}

/**
 * A complete Parquet file: magic, the chunks of the columns row group by row group, footer.
 * @throws UnpackedSizeError, Error as checkPages
 */
export function assembleFile(
  rowGroups: readonly ReadRowGroupBytes[],
  columns: readonly ReadColumn[],
  asRead: (read: ReadColumn) => ReadColumn,
): Uint8Array {
  const names = new Set(columns.map(({ column }) => column.name));
  const pieces: Uint8Array[] = [MAGIC];
  let position = MAGIC.length;
  let unpackedBytes = 0;
  const placed = rowGroups.map(({ reads, buffer }) => {
    const read = reads.columns.filter(({ column }) => names.has(column.name)).map(asRead);
    const chunks = read.flatMap((column) =>
      column.chunks.map((chunk) => {
        pages.keep(0);
        const found = checkPages(buffer, chunk, pages, true);
        unpackedBytes += found.unpackedBytes;
        if (unpackedBytes > LARGEST_UNPACKED_BYTES) throw new UnpackedSizeError(`${unpackedBytes} or more`);
        const restated = found.areWhole ? restatePages(buffer, chunk, pages) : undefined;
        // What stands behind the last page would be taken for another one's header.
        const endByte = found.areWhole && chunk.valueCount > 0 ? found.endByte : chunk.endByte;
        const { bytes, ...others } = restated ?? { bytes: buffer.subarray(chunk.startByte, endByte) };
        pieces.push(bytes);
        const startByte = position;
        position += bytes.length;
        return { ...chunk, ...others, startByte, endByte: position };
      }),
    );
    return { rowCount: reads.rowCount, chunks };
  });
  const shardColumns = columns.map((read) => asRead(read).column);
  return Buffer.concat([...pieces, encodeFooter(encodeSchema(shardColumns), placed)]);
}
