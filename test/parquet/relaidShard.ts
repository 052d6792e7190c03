import { parquetMetadata } from 'hyparquet';
import { deserializeTCompactProtocol } from 'hyparquet/src/thrift.js';
import { ByteWriter } from 'hyparquet-writer';
import { withMetadata } from './sampleShards.ts';

/** A page as it lies in a shard. */
export interface PagePieces {
  /** PageHeader in Thrift's compact protocol. */
  readonly header: Uint8Array;
  readonly body: Uint8Array;
}

export interface PlacedPage extends PagePieces {
  readonly column: string;
  /** Index of the chunk among those of its row group. */
  readonly chunk: number;
  readonly rowGroup: number;
  /** Counted from the first of the chunk, a dictionary among them. */
  readonly page: number;
}

/** The bytes of a page behind its header, in a shard. */
export interface PageBytes {
  readonly column: string;
  readonly rowGroup: number;
  readonly startByte: number;
  readonly endByte: number;
}

/**
 * The shard with its pages changed one by one; the footer says where they are then, and nothing else changes.
 * @returns also where the pages' bodies are
 */
export function relaidShard(
  bytes: Uint8Array,
  change: (page: PlacedPage) => PagePieces,
): { readonly bytes: Uint8Array; readonly pages: readonly PageBytes[] } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const pages: PageBytes[] = [];
  const data = new ByteWriter();
  data.appendBytes(bytes.subarray(0, 4));
  const moved = parquetMetadata(bytes).row_groups.map(({ columns }, rowGroup) =>
    columns.map(({ meta_data: meta }, chunk) => {
      const dataPageByte = Number(meta!.data_page_offset);
      const dictionaryByte = Number(meta!.dictionary_page_offset ?? 0);
      const from = dictionaryByte > 0 && dictionaryByte < dataPageByte ? dictionaryByte : dataPageByte;
      const until = from + Number(meta!.total_compressed_size);
      const offset = data.offset;
      let dataPageOffset = offset;
      const reader = { view, offset: from };
      for (let page = 0; reader.offset < until; page++) {
        if (reader.offset === dataPageByte) dataPageOffset = data.offset;
        const headerByte = reader.offset;
        const fields = deserializeTCompactProtocol(reader) as Record<`field_${number}`, unknown>;
        const header = bytes.subarray(headerByte, reader.offset);
        const body = bytes.subarray(reader.offset, reader.offset + (fields.field_3 as number));
        reader.offset += body.length;
        if (headerByte < 4 || reader.offset <= headerByte || page > 10_000) throw new Error('no pages');
        const column = meta!.path_in_schema[0]!;
        const changed = change({ header, body, column, chunk, rowGroup, page });
        data.appendBytes(changed.header);
        const startByte = data.offset;
        data.appendBytes(changed.body);
        pages.push({ column, rowGroup, startByte, endByte: data.offset });
      }
      return { offset, dataPageOffset, size: data.offset - offset };
    }),
  );
  // The writer of footers keeps what lies before the old footer: here, the new pages and then the old footer.
  const footer = bytes.subarray(bytes.length - 8 - parquetMetadata(bytes).metadata_length);
  const changed = withMetadata(Buffer.concat([data.getBytes(), footer]), ({ row_groups: groups }) => {
    groups.forEach(({ columns }, rowGroup) => {
      columns.forEach(({ meta_data: meta }, chunk) => {
        const { offset, dataPageOffset, size } = moved[rowGroup]![chunk]!;
        if (meta!.dictionary_page_offset !== undefined) meta!.dictionary_page_offset = BigInt(offset);
        meta!.data_page_offset = BigInt(dataPageOffset);
        meta!.total_compressed_size = BigInt(size);
      });
    });
  });
  return { bytes: changed, pages };
}
