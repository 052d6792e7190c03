import { crc32 } from 'node:zlib';
import { parquetMetadata } from 'hyparquet';
import { deserializeTCompactProtocol } from 'hyparquet/src/thrift.js';
import { ByteWriter } from 'hyparquet-writer';
import { serializeTCompactProtocol } from 'hyparquet-writer/src/thrift.js';
import { withMetadata } from './sampleShards.ts';

/** The bytes of a page behind its header, in a shard. */
export interface PageBytes {
  readonly column: string;
  readonly rowGroup: number;
  readonly startByte: number;
  readonly endByte: number;
}

/**
 * The shard, its page headers written again with checksums, which no writer at hand gives.
 * @param checksumOf of page `page` of a chunk, counted from 0; the CRC-32 of the page by default
 */
export function checksummedShard(
  bytes: Uint8Array,
  checksumOf: (page: number, crc: number) => number | undefined = (_page, crc) => crc,
): { readonly bytes: Uint8Array; readonly pages: readonly PageBytes[] } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const pages: PageBytes[] = [];
  const data = new ByteWriter();
  data.appendBytes(bytes.subarray(0, 4));
  const moved = parquetMetadata(bytes).row_groups.map(({ columns }, rowGroup) =>
    columns.map(({ meta_data: meta }) => {
      const from = Number(meta!.dictionary_page_offset ?? meta!.data_page_offset);
      const until = from + Number(meta!.total_compressed_size);
      const offset = data.offset;
      let dataPageOffset = offset;
      const reader = { view, offset: from };
      for (let page = 0; reader.offset < until; page++) {
        if (reader.offset === Number(meta!.data_page_offset)) dataPageOffset = data.offset;
        const header = deserializeTCompactProtocol(reader) as Record<`field_${number}`, unknown>;
        const body = bytes.subarray(reader.offset, reader.offset + (header.field_3 as number));
        reader.offset += body.length;
        const { field_1, field_2, field_3, ...kind } = header;
        const checksum = checksumOf(page, crc32(body));
        const field_4 = checksum === undefined ? undefined : checksum | 0;
        serializeTCompactProtocol(data, { field_1, field_2, field_3, field_4, ...kind });
        pages.push({
          column: meta!.path_in_schema[0]!,
          rowGroup,
          startByte: data.offset,
          endByte: data.offset + body.length,
        });
        data.appendBytes(body);
      }
      return { offset, dataPageOffset, size: data.offset - offset };
    }),
  );
  // The writer of footers keeps what lies before the old footer: here, the new pages and then the old footer.
  const footer = bytes.subarray(bytes.length - 8 - parquetMetadata(bytes).metadata_length);
  const changed = withMetadata(Buffer.concat([data.getBytes(), footer]), ({ row_groups: groups }) => {
    groups.forEach(({ columns }, rowGroup) => {
      columns.forEach(({ meta_data: meta }, column) => {
        const { offset, dataPageOffset, size } = moved[rowGroup]![column]!;
        if (meta!.dictionary_page_offset !== undefined) meta!.dictionary_page_offset = BigInt(offset);
        meta!.data_page_offset = BigInt(dataPageOffset);
        meta!.total_compressed_size = BigInt(size);
      });
    });
  });
  return { bytes: changed, pages };
}
