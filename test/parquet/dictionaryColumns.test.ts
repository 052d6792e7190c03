import { readdirSync, readFileSync } from 'node:fs';
import { Field, List, tableFromArrays, tableToIPC, Utf8, Vector, vectorFromArray } from 'apache-arrow';
import { Compression, Table, WriterPropertiesBuilder, WriterVersion, writeParquet } from 'parquet-wasm/node';
import { describe, expect, it } from 'vitest';
import { decodeRowGroups } from '../../lib/parquet/decodeRowGroups.ts';
import { decodeDictionaryColumns } from '../../lib/parquet/dictionaryColumns.ts';
import { ReusedMemory } from '../../lib/parquet/reusedMemory.ts';
import type { ReadRowGroupBytes } from '../../lib/parquet/rowGroupReads.ts';
import { changedHeader } from './checksummedShard.ts';
import { checkAgainstArrow, namesOf, polarsShard, ROWS, readAll, rowNumbers } from './dictionaryShards.ts';
import { hasSharedData, sharedData } from './memoryFile.ts';
import { plainRows } from './plainValues.ts';
import { relaidShard } from './relaidShard.ts';
import { sampleShard, writeShard } from './sampleShards.ts';

describe('columns read as dictionaries', () => {
  it.each([
    ['zstd', ROWS],
    ['zstd', 512],
    ['snappy', 700],
    ['gzip', ROWS],
    ['lz4', ROWS],
    ['uncompressed', 1000],
  ] as const)(
    'hold what arrow-rs reads: %s, row groups of %i rows; nulls, lists, every width; all but booleans and deltas',
    async (compression, rows) => {
      const starts = rowNumbers.filter((row) => row % rows === 0);
      const shards = starts.map((start) => readAll(polarsShard(compression, start, start + rows)));
      const rowGroups = (await Promise.all(shards)).flat();
      expect(rowGroups.map(({ reads }) => reads.rowCount).reduce((sum, count) => sum + count)).toBe(ROWS);
      const dictionaries = checkAgainstArrow(rowGroups);
      expect([...namesOf(rowGroups)].filter((name) => !dictionaries.includes(name))).toEqual(['id', 'click']);
      for (const alone of rowGroups) checkAgainstArrow([alone], 99);
    },
  );

  const table = tableFromArrays({
    id: BigInt64Array.from(rowNumbers, (row) => BigInt(row % 90)),
    price: Float32Array.from(rowNumbers, (row) => row / 4),
    city: vectorFromArray(
      rowNumbers.map((row) => (row % 13 === 0 ? null : `city ${row % 40}`)),
      new Utf8(),
    ),
    lists: vectorFromArray(
      rowNumbers.map((row) =>
        row % 5 === 0 ? null : Array.from({ length: row % 3 }, (_, at) => (at === 1 ? null : `x${row % 9}`)),
      ),
      new List(new Field('item', new Utf8(), true)),
    ),
  } as never);

  it.each([
    ['first', WriterVersion.V1, Compression.ZSTD],
    ['second', WriterVersion.V2, Compression.ZSTD],
    ['second', WriterVersion.V2, Compression.BROTLI],
    ['second', WriterVersion.V2, Compression.UNCOMPRESSED],
  ])(
    'hold what arrow-rs reads of pages of the %s version (%#): null lists, null elements',
    async (_, version, codec) => {
      const properties = new WriterPropertiesBuilder()
        .setWriterVersion(version)
        .setCompression(codec)
        .setDataPageSizeLimit(2000)
        .setWriteBatchSize(100);
      const ipc = tableToIPC(table as never, 'stream');
      const rowGroups = await readAll(writeParquet(Table.fromIPCStream(ipc), properties.build()));
      expect(checkAgainstArrow(rowGroups)).toEqual(expect.arrayContaining(['id', 'city', 'lists']));
    },
  );

  it('take up values that stand plainly behind a dictionary that grew too large', async () => {
    const properties = new WriterPropertiesBuilder()
      .setDictionaryPageSizeLimit(500)
      .setDataPageSizeLimit(2000)
      .setWriteBatchSize(100)
      .setWriterVersion(WriterVersion.V1);
    const ipc = tableToIPC(table as never, 'stream');
    const rowGroups = await readAll(writeParquet(Table.fromIPCStream(ipc), properties.build()));
    expect(checkAgainstArrow(rowGroups)).toContain('price');
  });

  it('of several shards have one dictionary, one behind the other', async () => {
    const rowGroups = [
      ...(await readAll(sampleShard(100, 40), 'a')),
      ...(await readAll(sampleShard(7, 3), 'b')),
    ];
    expect(checkAgainstArrow(rowGroups)).toEqual(['id', 'city', 'price']);
  });

  it('are left to arrow-rs where all rows are null, and where a narrow integer does not fit its type', async () => {
    const rowGroups = await readAll(
      writeShard([
        { name: 'nothing', type: 'INT32', data: [null, null, null], nullable: true },
        { name: 'something', type: 'INT32', data: [1, null, 3], nullable: true },
      ]),
    );
    expect(checkAgainstArrow(rowGroups)).toEqual(['something']);
  });

  it('only those asked for', async () => {
    const rowGroups = await readAll(sampleShard(10, 10));
    const [batch] = decodeRowGroups(rowGroups, { dictionaries: new Set(['city', 'other']) });
    expect(batch!.schema.fields.map(({ type }) => String(type))).toEqual([
      'Int64',
      'Dictionary<Int32, Utf8>',
      'Float64',
    ]);
  });

  it('give their memory to the next rows only once it is used again', async () => {
    const [first, second] = [await readAll(sampleShard(50, 50)), await readAll(sampleShard(90, 90))];
    const memory = new ReusedMemory();
    const decode = (rowGroups: ReadRowGroupBytes[]) =>
      decodeRowGroups(rowGroups, { dictionaries: namesOf(rowGroups), memory });
    const batches = [...decode(first), ...decode(second)];
    expect(batches.map(plainRows)).toEqual(
      [...decodeRowGroups(first), ...decodeRowGroups(second)].map(plainRows),
    );
    const placesOf = ([batch]: typeof batches) => batch!.data.children[0]!.values as Int32Array;
    memory.reuse();
    expect(placesOf(decode(second)).buffer).toBe(placesOf(batches).buffer);
  });
});

/** ZSTD frames of raw blocks, so many of the same bytes, one behind the other. */
function rawFrames(bytes: Uint8Array, count: number): Uint8Array {
  const MOST_BLOCK_BYTES = 2 ** 17;
  const frames = Array.from({ length: count }, (_, index) => {
    const own = bytes.subarray((index * bytes.length) / count, ((index + 1) * bytes.length) / count);
    const pieces = [Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xa0]), Buffer.alloc(4)];
    pieces[1]!.writeUInt32LE(own.length);
    for (let at = 0; at < own.length; at += MOST_BLOCK_BYTES) {
      const block = own.subarray(at, at + MOST_BLOCK_BYTES);
      const head = (block.length << 3) | (at + block.length === own.length ? 1 : 0);
      pieces.push(Buffer.from([head & 255, (head >> 8) & 255, head >> 16]), Buffer.from(block));
    }
    return Buffer.concat(pieces);
  });
  return Buffer.concat(frames);
}

describe('pages of one chunk, large and small, of one frame and of several', () => {
  const columns = {
    many: BigInt64Array.from({ length: 60_000 }, (_, row) => BigInt((row * 7_919) % 40_000) * 1_000_003n),
    few: Int32Array.from({ length: 60_000 }, (_, row) => (row * row) % 1000),
  };
  const written = (compression: Compression) => {
    const properties = new WriterPropertiesBuilder()
      .setCompression(compression)
      .setDictionaryPageSizeLimit(2 ** 20)
      .setDataPageSizeLimit(60_000)
      .build();
    return writeParquet(Table.fromIPCStream(tableToIPC(tableFromArrays(columns), 'stream')), properties);
  };
  const plainBodies = new Map<string, Uint8Array>();
  relaidShard(written(Compression.UNCOMPRESSED), ({ header, body, column, page }) => {
    plainBodies.set(`${column} ${page}`, Uint8Array.from(body));
    return { header, body };
  });

  it.each([
    ['one in each', () => 1],
    ['several in each', () => 3],
    ['several in the first', (page: number) => (page === 0 ? 2 : 1)],
    ['several in every other one', (page: number) => 1 + (page % 2)],
  ])('hold the values that were written: %s', async (_, framesOf) => {
    const { bytes } = relaidShard(written(Compression.ZSTD), ({ header, column, page }) => {
      const body = rawFrames(plainBodies.get(`${column} ${page}`)!, framesOf(page));
      return { header: changedHeader(header, { field_3: body.length }), body };
    });
    const rowGroups = await readAll(bytes);
    const found = decodeDictionaryColumns(rowGroups, namesOf(rowGroups), new ReusedMemory());
    const values = (name: string) => [...new Vector([found.get(name)!.data])];
    expect(values('many')).toEqual([...columns.many]);
    expect(values('few')).toEqual([...columns.few]);
  });
});

const folder = `${sharedData}parquet-testing/data/`;
/** Its INT96 times are out of range, which is an error. */
const refused = 'int96_from_spark.parquet';

describe.skipIf(!hasSharedData)('files of parquet-testing, read as dictionaries', () => {
  const files = hasSharedData ? readdirSync(folder).filter((name) => name.endsWith('.parquet')) : ['none'];
  it.each(files.filter((name) => name !== refused))('%s holds what arrow-rs reads', async (name) => {
    for (const rowGroup of await readAll(readFileSync(folder + name))) checkAgainstArrow([rowGroup]);
  });
});
