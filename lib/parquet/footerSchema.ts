import { parquetMetadata, type SchemaElement } from 'hyparquet';
import { ByteWriter } from 'hyparquet-writer';
import { writeMetadata } from 'hyparquet-writer/src/metadata.js';
import { encodeFooter } from './encodeFooter.ts';
import { parseFooter } from './parseFooter.ts';
import type { ShardColumn } from './shardColumns.ts';

/**
 * Parses the schema of a footer.
 * @param schemaBytes from `parseFooter`, which has followed them to their end: hyparquet believes a list's length before it has
 * seen the list, and nested, a few bytes would take gigabytes
 * @throws Error when an element is none
 */
export function parseSchema(schemaBytes: Uint8Array): SchemaElement[] {
  const { schema } = parquetMetadata(encodeFooter(schemaBytes, []), { geoparquet: false });
  // It takes what it finds: a damaged footer has numbers where its types promise text.
  schema.forEach(({ name, num_children: children }: Partial<SchemaElement>, index) => {
    if (index > 0 && typeof name !== 'string') throw new Error(`schema element ${index} has no name`);
    if (children !== undefined && !(Number.isSafeInteger(children) && children >= 0)) {
      throw new Error(`schema element ${index} has ${children} children`);
    }
  });
  return schema;
}

/** The schema of a file with these columns, as its footer holds it. */
export function encodeSchema(columns: readonly ShardColumn[]): Uint8Array {
  const writer = new ByteWriter();
  writeMetadata(writer, {
    version: 2,
    schema: [
      { name: 'schema', num_children: columns.length },
      ...columns.flatMap((column) => column.elements),
    ],
    num_rows: 0n,
    row_groups: [],
    // Only hyparquet's parser sets this.
    metadata_length: 0,
  });
  return parseFooter(writer.getBytes()).schemaBytes;
}
