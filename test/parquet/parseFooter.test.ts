import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { parquetMetadata } from 'hyparquet';
import { describe, expect, it } from 'vitest';
import { INT32, INT64, LIST, STOP, STRUCT } from '../../lib/parquet/compactReader.ts';
import { CompactWriter } from '../../lib/parquet/compactWriter.ts';
import { encodeFooter, type PlacedChunk } from '../../lib/parquet/encodeFooter.ts';
import { parseSchema } from '../../lib/parquet/footerSchema.ts';
import { parseFooter } from '../../lib/parquet/parseFooter.ts';
import { sharedData } from './memoryFile.ts';
import { sampleShard } from './sampleShards.ts';

const SCHEMA = parseFooter(footerOf(sampleShard())).schemaBytes;

/** Without its length and magic. */
function footerOf(shard: Uint8Array): Uint8Array {
  const { metadata_length: footerBytes } = parquetMetadata(shard);
  return shard.subarray(shard.length - 8 - footerBytes, shard.length - 8);
}

/** A footer of one row group with one chunk, whose fields are written by `chunk`. */
function footerWith(chunk: (writer: CompactWriter) => void): Uint8Array {
  const writer = new CompactWriter(1000);
  writer.writeHead(2, LIST);
  writer.writeBytes(SCHEMA);
  writer.writeInteger(1, INT64, 5);
  writer.writeListHead(1, STRUCT, 1);
  writer.writeListHead(1, STRUCT, 1);
  chunk(writer);
  writer.writeByte(STOP);
  writer.writeInteger(2, INT64, 5);
  writer.writeByte(STOP);
  writer.writeByte(STOP);
  return writer.finish();
}

const chunkWith = (fields: (writer: CompactWriter) => void) =>
  parseFooter(footerWith(fields)).rowGroups[0]!.chunks[0]!;

/** Says of a footer the same as `parseFooter`. */
function byHyparquet(shard: Uint8Array) {
  const { row_groups: rowGroups, num_rows: rows } = parquetMetadata(shard, { geoparquet: false });
  const number = (value: bigint | undefined) => (value === undefined ? undefined : Number(value));
  return {
    rowCount: Number(rows),
    rowGroups: rowGroups.map(({ num_rows: rowCount, columns }) => ({
      rowCount: Number(rowCount),
      chunks: columns.map(({ file_path: filePath, crypto_metadata: crypto, meta_data: meta }) => ({
        isEncrypted: crypto !== undefined,
        filePath,
        type: meta?.type,
        codec: meta?.codec,
        valueCount: number(meta?.num_values),
        uncompressedBytes: number(meta?.total_uncompressed_size),
        compressedBytes: number(meta?.total_compressed_size),
        dataPageByte: number(meta?.data_page_offset),
        dictionaryPageByte: number(meta?.dictionary_page_offset),
      })),
    })),
  };
}

function expectSame(shard: Uint8Array): void {
  const { schemaBytes, ...rest } = parseFooter(footerOf(shard));
  expect(rest).toEqual(byHyparquet(shard));
  expect(parseSchema(schemaBytes)).toEqual(parquetMetadata(shard, { geoparquet: false }).schema);
}

describe('parseFooter', () => {
  it('says what hyparquet says of a written shard', () => {
    expectSame(sampleShard());
  });

  const folders = ['parquet-testing/data', 'kuairand-pure/dt=2022-05-06', 'nights/days/dt=2024-03-05'];
  const shards = folders
    .map((folder) => `${sharedData}${folder}`)
    .filter(existsSync)
    .flatMap((folder) =>
      readdirSync(folder)
        .filter((name) => name.endsWith('.parquet'))
        .map((name) => `${folder}/${name}`),
    );
  it.skipIf(shards.length === 0).each(shards)(
    'says what hyparquet says of %s (skipped without ../shared)',
    (path) => expectSame(readFileSync(path)),
  );

  it.each([
    [8, 'crypto_metadata'],
    [9, 'encrypted_column_metadata'],
  ])('takes a chunk with field %i, %s, for encrypted', (field) => {
    expect(chunkWith((writer) => writer.writeInteger(field, INT32, 1)).isEncrypted).toBe(true);
    expect(chunkWith((writer) => writer.writeInteger(4, INT64, 1)).isEncrypted).toBe(false);
  });

  it('leaves undefined what is of another type, and reads what follows', () => {
    const chunk = chunkWith((writer) => {
      writer.writeHead(3, STRUCT);
      writer.writeInteger(1, INT64, 1);
      writer.writeInteger(3, INT32, 99);
      writer.writeInteger(1, INT32, 10);
      writer.writeInteger(2, INT64, 30);
      writer.writeByte(STOP);
    });
    expect(chunk).toMatchObject({
      type: undefined,
      codec: undefined,
      valueCount: undefined,
      compressedBytes: 30,
    });
    expect(chunkWith((writer) => writer.writeInteger(3, INT32, 1)).type).toBeUndefined();
  });

  it('refuses a footer without a schema, without row groups, and one that ends early', () => {
    expect(() => parseFooter(Uint8Array.of(STOP))).toThrow('no list');
    const good = footerWith(() => undefined);
    for (let length = 0; length < good.length; length++) {
      expect(() => parseFooter(good.subarray(0, length)), `${length} bytes`).toThrow();
    }
  });
});

describe('encodeFooter', () => {
  const chunk = (change: Partial<PlacedChunk>): PlacedChunk => ({
    ...{ type: 'INT64', codec: 'ZSTD', valueCount: 2 ** 31, uncompressedBytes: 2 ** 40 },
    ...{ startByte: 127, endByte: 2 ** 45, dataPageOffset: 0 },
    ...change,
  });

  it.each([0, 1, 14, 15, 300])('is read by hyparquet as it was written, with %i row groups', (count) => {
    const chunks = [chunk({}), chunk({ type: 'BYTE_ARRAY', codec: 'LZ4_RAW', dataPageOffset: 2 ** 33 })];
    const rowGroups = Array.from({ length: count }, (_, index) => ({ rowCount: index * 1000, chunks }));
    const file = encodeFooter(SCHEMA, rowGroups);
    const read = byHyparquet(file);
    expect(read.rowCount).toBe(rowGroups.reduce((sum, { rowCount }) => sum + rowCount, 0));
    expect(read.rowGroups.map(({ rowCount }) => rowCount)).toEqual(rowGroups.map(({ rowCount }) => rowCount));
    const same = { valueCount: 2 ** 31, uncompressedBytes: 2 ** 40, compressedBytes: 2 ** 45 - 127 };
    for (const group of read.rowGroups) {
      expect(group.chunks).toMatchObject([
        { type: 'INT64', codec: 'ZSTD', ...same, dataPageByte: 127, dictionaryPageByte: undefined },
        {
          type: 'BYTE_ARRAY',
          codec: 'LZ4_RAW',
          ...same,
          dataPageByte: 2 ** 33 + 127,
          dictionaryPageByte: 127,
        },
      ]);
    }
    expectSame(file);
  });
});
