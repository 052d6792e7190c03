import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { Table as ArrowTable, tableFromArrays, tableToIPC, Utf8, vectorFromArray } from 'apache-arrow';
import type { Encoding } from 'hyparquet';
import { parquetWriteBuffer } from 'hyparquet-writer';
import pl from 'nodejs-polars';
import { Compression, Table, WriterPropertiesBuilder, WriterVersion, writeParquet } from 'parquet-wasm/node';
import { ParquetReader, ParquetSchema, ParquetWriter } from 'parquetjs-lite';
import { describe, expect, it } from 'vitest';
import { openShard } from '../../lib/parquet/openShard.ts';
import { memoryFile } from './memoryFile.ts';
import { type PlainRow, readForeignRows, readPlainRows } from './plainValues.ts';
import { overwritten, writeShard } from './sampleShards.ts';

async function writeWithParquetjs(
  schema: ParquetSchema,
  rows: PlainRow[],
  options: { rowGroupSize?: number; useDataPageV2?: boolean } = {},
): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'parquetjs-'));
  try {
    const writer = await ParquetWriter.openFile(schema, join(folder, 'shard.parquet'), options);
    for (const row of rows) await writer.appendRow(row);
    await writer.close();
    return await readFile(join(folder, 'shard.parquet'));
  } finally {
    await rm(folder, { recursive: true });
  }
}

function writeWithArrowRs(table: ArrowTable, properties: WriterPropertiesBuilder): Uint8Array {
  return writeParquet(Table.fromIPCStream(tableToIPC(table, 'stream')), properties.build());
}

describe('shards of parquetjs-lite', () => {
  const rows = Array.from({ length: 250 }, (_, row) => ({
    id: 9_007_199_254_740_000 + row,
    city: row % 3 === 0 ? null : `Zürich ${row % 4}`,
    price: row % 5 === 0 ? null : row / 4,
    click: row % 2 === 0,
    age: 3 - row,
    tags: Array.from({ length: row % 4 }, (_, index) => `tag ${row + index}`),
    seen: Array.from({ length: (row * 7) % 3 }, (_, index) => row * 10 + index),
  }));
  const expected = rows.map((row) => ({ ...row, id: BigInt(row.id), seen: row.seen.map(BigInt) }));

  it.each([
    ['UNCOMPRESSED', true],
    ['UNCOMPRESSED', false],
    ['SNAPPY', true],
    ['GZIP', true],
  ] as const)(
    'read right with %s, page version 2: %s, in several row groups: nulls, legacy repeated lists, text, integers',
    async (compression, useDataPageV2) => {
      const schema = new ParquetSchema({
        id: { type: 'INT64', compression },
        city: { type: 'UTF8', optional: true, compression },
        price: { type: 'DOUBLE', optional: true, compression },
        click: { type: 'BOOLEAN', compression },
        age: { type: 'INT32', compression },
        tags: { type: 'UTF8', repeated: true, compression },
        seen: { type: 'INT64', repeated: true, compression },
      });
      const bytes = await writeWithParquetjs(schema, rows, { rowGroupSize: 100, useDataPageV2 });
      const shard = await openShard(memoryFile(bytes));
      expect(shard.rowGroups.map(({ rowCount }) => rowCount)).toEqual([100, 100, 50]);
      expect(shard.schema.fields.map(({ type }) => String(type))).toEqual([
        'Int64',
        'Utf8',
        'Float64',
        'Bool',
        'Int32',
        'List<Utf8>',
        'List<Int64>',
      ]);
      expect(await readPlainRows(memoryFile(bytes))).toEqual(expected);
    },
  );

  it('read right with 3-level lists', async () => {
    const schema = new ParquetSchema({
      tags: {
        type: 'LIST',
        optional: true,
        fields: { list: { repeated: true, fields: { element: { type: 'UTF8' } } } },
      },
    });
    const bytes = await writeWithParquetjs(schema, [
      { tags: { list: [{ element: 'a' }, { element: 'b' }] } },
      { tags: null },
      { tags: { list: [{ element: 'c' }] } },
    ]);
    expect(await readPlainRows(memoryFile(bytes))).toEqual([
      { tags: ['a', 'b'] },
      { tags: null },
      { tags: ['c'] },
    ]);
  });
});

describe('parquetjs-lite as a reader', () => {
  it('misreads RLE runs of dictionary indices wider than 8 bits without an error; our reader does not', async () => {
    const rowCount = 20_000;
    // 400 distinct values, so 9 bits an index, each in runs of 50 rows.
    const values = Array.from({ length: rowCount }, (_, row) => `value ${Math.floor(row / 50) % 400}`);
    const written = writeWithArrowRs(
      new ArrowTable({ value: vectorFromArray(values, new Utf8()) }),
      new WriterPropertiesBuilder().setWriterVersion(WriterVersion.V1).setDictionaryEnabled(true),
    );
    // Page headers name the encoding; parquetjs-lite knows its old name only (PLAIN_DICTIONARY, as DuckDB writes it).
    const rleDictionary = Buffer.from([0x15, 0x10, 0x15, 0x06, 0x15, 0x06]);
    const at = Buffer.from(written).indexOf(rleDictionary);
    const bytes = overwritten(written, at + 1, [0x04]);
    expect(Buffer.from(bytes).indexOf(rleDictionary)).toBe(-1);

    const ours = (await readPlainRows(memoryFile(bytes))).map(({ value }) => value);
    expect(ours).toEqual(values);

    const reader = await ParquetReader.openBuffer(Buffer.from(bytes));
    const cursor = reader.getCursor();
    const theirs: unknown[] = [];
    for (let row = await cursor.next(); row !== null; row = await cursor.next()) {
      theirs.push(row.value === undefined ? undefined : String(row.value));
    }
    await reader.close();
    expect(theirs).toHaveLength(rowCount);
    const wrong = theirs.filter((value, row) => value !== values[row]).length;
    // Only indices below 256 have an empty second byte: the runs of the other 144 of 400 values come back wrong.
    expect(wrong).toBe((rowCount * 144) / 400);
  });
});

describe('shards of hyparquet-writer', () => {
  const rowCount = 3000;
  const integers = Array.from({ length: rowCount }, (_, row) => (row * 2_654_435_761) % 1_000_003);
  const text = integers.map((value, row) => (row % 11 === 0 ? null : `prefix ${value % 300}`));
  const lists = integers.map((value, row) =>
    row % 13 === 0
      ? null
      : Array.from({ length: value % 4 }, (_, index) => (index === 2 ? null : value + index)),
  );

  it.each([
    ['PLAIN', 'INT32', integers],
    ['DELTA_BINARY_PACKED', 'INT32', integers],
    ['DELTA_BINARY_PACKED', 'INT64', integers.map((value) => BigInt(value) * 1_000_000_007n)],
    ['BYTE_STREAM_SPLIT', 'DOUBLE', integers.map((value) => value / 7)],
    ['RLE_DICTIONARY', 'STRING', text],
    ['DELTA_BYTE_ARRAY', 'STRING', text],
    ['DELTA_LENGTH_BYTE_ARRAY', 'STRING', text],
    ['RLE', 'BOOLEAN', integers.map((value) => value % 3 === 0)],
  ] as [Encoding, 'INT32', unknown[]][])(
    'read right with %s of %s over several pages',
    async (encoding, type, data) => {
      const bytes = writeShard([{ name: 'value', type, data, encoding }], {
        rowGroupSize: 2000,
        pageSize: 2048,
      });
      expect((await readPlainRows(memoryFile(bytes))).map(({ value }) => value)).toEqual(data);
    },
  );

  it('read right with null lists, empty lists and lists with nulls', async () => {
    const bytes = writeShard([{ name: 'ids', data: lists }], {
      pageSize: 2048,
      schema: [
        { name: 'root', num_children: 1 },
        { name: 'ids', repetition_type: 'OPTIONAL', num_children: 1, converted_type: 'LIST' },
        { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
        { name: 'element', repetition_type: 'OPTIONAL', type: 'INT32' },
      ],
    });
    expect((await readPlainRows(memoryFile(bytes))).map(({ ids }) => ids)).toEqual(lists);
  });

  it.each(['UINT_8', 'UINT_16', 'UINT_32', 'INT_8', 'INT_16'] as const)(
    'read right with the integer type %s, annotated in the old and in the new way',
    async (converted) => {
      const [, sign, bits] = /^(U?)INT_(\d+)$/.exec(converted)!;
      const logical = { type: 'INTEGER' as const, bitWidth: Number(bits), isSigned: sign === '' };
      const data = [0, 1, 127];
      for (const annotation of [{ converted_type: converted }, { logical_type: logical }]) {
        const bytes = writeShard([{ name: 'value', data }], {
          schema: [
            { name: 'root', num_children: 1 },
            { name: 'value', type: 'INT32', repetition_type: 'REQUIRED', ...annotation },
          ],
        });
        const shard = await openShard(memoryFile(bytes));
        expect(String(shard.schema.fields[0]!.type)).toBe(`${sign === 'U' ? 'Uint' : 'Int'}${bits}`);
        expect((await readPlainRows(memoryFile(bytes))).map(({ value }) => value)).toEqual(data);
      }
    },
  );

  it.each([
    ['GZIP', gzipSync],
    ['BROTLI', brotliCompressSync],
    ['UNCOMPRESSED', undefined],
    ['SNAPPY', undefined],
  ] as const)('read right with %s', async (codec, compress) => {
    const bytes = new Uint8Array(
      parquetWriteBuffer({
        columnData: [{ name: 'value', type: 'STRING', data: text }],
        codec,
        ...(compress === undefined ? {} : { compressors: { [codec]: compress } }),
      }),
    );
    expect((await readPlainRows(memoryFile(bytes))).map(({ value }) => value)).toEqual(text);
  });
});

describe('shards of polars', () => {
  it.each(['uncompressed', 'snappy', 'gzip', 'brotli', 'lz4', 'zstd'] as const)(
    'read equal to hyparquet with %s',
    async (compression) => {
      const rowCount = 2000;
      const frame = pl.DataFrame({
        id: Array.from({ length: rowCount }, (_, row) => row),
        city: Array.from({ length: rowCount }, (_, row) => (row % 9 === 0 ? null : `city ${row % 40}`)),
        tags: Array.from({ length: rowCount }, (_, row) =>
          Array.from({ length: row % 3 }, (_, i) => `t${row + i}`),
        ),
      });
      const bytes = frame.writeParquet({ compression }) as Buffer;
      const rows = await readPlainRows(memoryFile(bytes));
      expect(rows).toHaveLength(rowCount);
      expect(rows[10]).toEqual({ id: 10, city: 'city 10', tags: ['t10'] });
      expect(rows).toEqual(await readForeignRows(bytes));
    },
  );
});

describe('shards of arrow-rs', () => {
  it.each([
    ['LZ4_RAW', Compression.LZ4_RAW, WriterVersion.V1],
    ['ZSTD', Compression.ZSTD, WriterVersion.V2],
  ] as const)('read equal to hyparquet with %s', async (_name, compression, version) => {
    const table = tableFromArrays({
      id: BigInt64Array.from({ length: 1000 }, (_, row) => BigInt(row) ** 3n),
      price: Float32Array.from({ length: 1000 }, (_, row) => row / 3),
    });
    const bytes = writeWithArrowRs(
      table,
      new WriterPropertiesBuilder()
        .setCompression(compression)
        .setWriterVersion(version)
        .setMaxRowGroupSize(300),
    );
    const rows = await readPlainRows(memoryFile(bytes));
    expect(rows[999]).toEqual({ id: 999n ** 3n, price: Math.fround(333) });
    expect(rows).toEqual(await readForeignRows(bytes));
  });
});
