import { crc32 } from 'node:zlib';
import { deserializeTCompactProtocol } from 'hyparquet/src/thrift.js';
import { ByteWriter } from 'hyparquet-writer';
import { serializeTCompactProtocol } from 'hyparquet-writer/src/thrift.js';
import { type PageBytes, relaidShard } from './relaidShard.ts';

/** Fields of a PageHeader by their numbers. */
export type HeaderFields = Record<`field_${number}`, unknown>;

/**
 * The shard, its page headers written again with checksums, which no writer at hand gives.
 * @param checksumOf of page `page` of a chunk, counted from 0; the CRC-32 of the page by default
 */
export function checksummedShard(
  bytes: Uint8Array,
  checksumOf: (page: number, crc: number) => number | undefined = (_page, crc) => crc,
): { readonly bytes: Uint8Array; readonly pages: readonly PageBytes[] } {
  return relaidShard(bytes, ({ header, body, page }) => {
    const checksum = checksumOf(page, crc32(body));
    const field_4 = checksum === undefined ? undefined : checksum | 0;
    return { header: changedHeader(header, { field_4 }), body };
  });
}

/** A page header with some of its fields replaced; one that is undefined is left out. */
export function changedHeader(header: Uint8Array, fields: HeaderFields): Uint8Array {
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  const found = deserializeTCompactProtocol({ view, offset: 0 }) as HeaderFields;
  const { field_1, field_2, field_3, field_4, ...kind } = { ...found, ...fields };
  const writer = new ByteWriter();
  // In ascending order: the protocol writes differences of field numbers.
  serializeTCompactProtocol(writer, { field_1, field_2, field_3, field_4, ...kind });
  return writer.getBytes();
}
