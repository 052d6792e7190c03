import { readdirSync, readFileSync } from 'node:fs';
import { Field, List, tableFromArrays, tableToIPC, Utf8, Vector, vectorFromArray } from 'apache-arrow';
import pl from 'nodejs-polars';
import { Compression, Table, WriterPropertiesBuilder, WriterVersion, writeParquet } from 'parquet-wasm/node';
import { describe, expect, it } from 'vitest';
import { decodeRowGroups } from '../../lib/parquet/decodeRowGroups.ts';
import { decodeDictionaryColumns } from '../../lib/parquet/dictionaryColumns.ts';
import { openShard } from '../../lib/parquet/openShard.ts';
import { readRanges } from '../../lib/parquet/readRowGroup.ts';
import { ReusedMemory } from '../../lib/parquet/reusedMemory.ts';
import { type ReadRowGroupBytes, rowGroupReads } from '../../lib/parquet/rowGroupReads.ts';
import { changedHeader } from './checksummedShard.ts';
import { hasSharedData, memoryFile, sharedData } from './memoryFile.ts';
import { plainRows } from './plainValues.ts';
import { relaidShard } from './relaidShard.ts';
import { sampleShard, writeShard } from './sampleShards.ts';

async function readAll(bytes: Uint8Array, uri = 'shard'): Promise<ReadRowGroupBytes[]> {
  const shard = await openShard(memoryFile(bytes, uri));
  const names = shard.schema.fields.map(({ name }) => name);
  const read = [...shard.rowGroups.keys()].map(async (rowGroup) => {
    const reads = rowGroupReads(shard, rowGroup, names);
    return { uri, reads, buffer: await readRanges(shard.file, reads) };
  });
  return (await Promise.all(read)).filter(({ reads }) => reads.rowCount > 0);
}

const namesOf = (rowGroups: readonly ReadRowGroupBytes[]) =>
  new Set(rowGroups.flatMap(({ reads }) => reads.columns.map(({ column }) => column.name)));

/** Names of the columns that came back as dictionaries, after a check of all columns against what arrow-rs makes of them. */
function checkAgainstArrow(rowGroups: readonly ReadRowGroupBytes[], batchRows = 65_536): string[] {
  const dictionaries = namesOf(rowGroups);
  const expected = decodeRowGroups(rowGroups, { batchRows });
  const found = decodeRowGroups(rowGroups, { batchRows, dictionaries });
  const rowsOf = (batches: typeof found) => batches.flatMap((batch) => plainRows(batch));
  expect(rowsOf(found)).toEqual(rowsOf(expected));
  expect(found.map(({ numRows }) => numRows)).toEqual(expected.map(({ numRows }) => numRows));
  const fieldsOf = ([batch]: typeof found) =>
    batch?.schema.fields.map(({ name, nullable }) => [name, nullable]);
  expect(fieldsOf(found)).toEqual(fieldsOf(expected));
  return [...decodeDictionaryColumns(rowGroups, dictionaries, new ReusedMemory()).keys()];
}

const ROWS = 3000;
const rowNumbers = Array.from({ length: ROWS }, (_, row) => row);

/** A shard of polars: every type that features can have, with and without nulls, empty lists, and null elements. */
function polarsShard(
  compression: 'zstd' | 'snappy' | 'gzip' | 'lz4' | 'uncompressed',
  start = 0,
  end = ROWS,
): Buffer {
  const some = rowNumbers.slice(start, end);
  const orNull = <T>(value: T, row: number, every: number) => (row % every === 0 ? null : value);
  const frame = pl.DataFrame({
    id: pl.Series(
      'id',
      some.map((row) => BigInt(row) * 1_000_003n),
      pl.Int64,
    ),
    user: pl.Series(
      'user',
      some.map((row) => row % 37),
      pl.Int64,
    ),
    tab: pl.Series(
      'tab',
      some.map((row) => orNull(row % 5, row, 11)),
      pl.Int32,
    ),
    same: pl.Series(
      'same',
      some.map(() => 7),
      pl.Int32,
    ),
    small: pl.Series(
      'small',
      some.map((row) => (row % 256) - 128),
      pl.Int8,
    ),
    large: pl.Series(
      'large',
      some.map((row) => 4_294_967_295 - (row % 9)),
      pl.UInt32,
    ),
    city: pl.Series(
      'city',
      some.map((row) => orNull(`Zürich ${row % 700}`, row, 3)),
      pl.Utf8,
    ),
    price: pl.Series(
      'price',
      some.map((row) => orNull(row / 8, row, 1000)),
      pl.Float64,
    ),
    share: pl.Series(
      'share',
      some.map((row) => (row % 100) / 100),
      pl.Float32,
    ),
    click: pl.Series(
      'click',
      some.map((row) => row % 2 === 0),
      pl.Bool,
    ),
    seen: pl.Series(
      'seen',
      some.map((row) => Array.from({ length: row % 6 }, (_, at) => (row * 31 + at) % 900)),
      pl.List(pl.Int64),
    ),
    tags: pl.Series(
      'tags',
      some.map((row) =>
        orNull(
          Array.from({ length: row % 4 }, (_, at) => `tag ${(row + at) % 50}`),
          row,
          7,
        ),
      ),
      pl.List(pl.Utf8),
    ),
  });
  return frame.writeParquet({ compression } as never) as unknown as Buffer;
}

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

describe('damage to pages', () => {
  it('does not come from what stands behind the last page of a chunk, as other lists would', async () => {
    const whole = polarsShard('zstd', 0, 60);
    const rows = (bytes: Uint8Array) =>
      readAll(bytes).then((rowGroups) => decodeRowGroups(rowGroups).flatMap(plainRows));
    const { bytes } = relaidShard(whole, ({ header, body, page }) => ({
      header,
      body: page === 0 ? body : Uint8Array.from([...body, 0x99, 0xf1, 0xff]),
    }));
    expect(await rows(bytes)).toEqual(await rows(whole));
  });

  it('is an error of the same code, row group and column as without dictionaries, or gives the same rows', async () => {
    const rowGroups = await readAll(polarsShard('snappy'));
    const [{ buffer, reads, uri }] = rowGroups as [ReadRowGroupBytes];
    const outcomeOf = (damaged: Uint8Array, dictionaries?: ReadonlySet<string>) => {
      try {
        const batches = decodeRowGroups(
          [{ uri, reads, buffer: damaged }],
          dictionaries ? { dictionaries } : {},
        );
        return batches.flatMap(plainRows);
      } catch (error) {
        return error;
      }
    };
    let errors = 0;
    for (let seed = 1; seed <= 60; seed++) {
      const damaged = Uint8Array.from(buffer);
      damaged[(seed * 7919 * 31) % buffer.length]! ^= 1 << (seed % 8);
      const expected = outcomeOf(damaged);
      if (expected instanceof Error) errors++;
      expect(outcomeOf(damaged, namesOf(rowGroups)), `seed ${seed}`).toEqual(expected);
    }
    expect(errors).toBeGreaterThan(5);
  });

  it('that claims to unpack to nothing is an error: packed bytes are never taken for values', async () => {
    const data = rowNumbers.map((row) => (row * 2_654_435_761) | 0);
    const whole = writeShard([{ name: 'id', type: 'INT32', data, nullable: false }], { codec: 'SNAPPY' });
    expect(checkAgainstArrow(await readAll(whole))).toEqual(['id']);
    const { bytes } = relaidShard(whole, ({ header, body }) => ({
      header: changedHeader(header, { field_2: 0 }),
      body,
    }));
    const rowGroups = await readAll(bytes);
    expect(() => decodeRowGroups(rowGroups, { dictionaries: new Set(['id']) })).toThrow(
      expect.objectContaining({ code: 'SHARD_PAGE_CORRUPT' }),
    );
  });

  it('that claims more than can be read is refused before anything is unpacked', async () => {
    const { bytes } = relaidShard(polarsShard('zstd'), ({ header, body, column }) => {
      const field_2 = 2 ** 30 + 1;
      return { header: column === 'id' ? changedHeader(header, { field_2 }) : header, body };
    });
    const rowGroups = await readAll(bytes);
    const dictionaries = new Set(['id']);
    expect(decodeDictionaryColumns(rowGroups, dictionaries, new ReusedMemory()).size).toBe(0);
    expect(() => decodeRowGroups(rowGroups, { dictionaries })).toThrow(
      expect.objectContaining({
        code: 'SHARD_ROW_GROUP_TOO_LARGE',
        location: { file: 'shard', rowGroup: 0, column: 'id' },
      }),
    );
  });
});
