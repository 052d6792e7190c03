import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { parquetMetadata } from 'hyparquet';
import { describe, expect, it } from 'vitest';
import { Ncs4cvrError } from '../../lib/base/errors.ts';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { checkPages } from '../../lib/parquet/checkPages.ts';
import { openShard } from '../../lib/parquet/openShard.ts';
import { PAGE, PageTable } from '../../lib/parquet/pageTable.ts';
import { readRanges } from '../../lib/parquet/readRowGroup.ts';
import { rowGroupReads } from '../../lib/parquet/rowGroupReads.ts';
import { checksummedShard } from './checksummedShard.ts';
import { memoryFile, sharedData } from './memoryFile.ts';
import { readPlainRows } from './plainValues.ts';
import { relaidShard } from './relaidShard.ts';
import { overwritten, sampleShard, writeShard } from './sampleShards.ts';

const ROWS = Array.from({ length: 400 }, (_, row) => row);
/** Several pages per chunk, with and without a dictionary, nulls among them. */
const PLAIN = writeShard(
  [
    { name: 'id', type: 'INT64', data: ROWS.map(BigInt) },
    { name: 'city', type: 'STRING', data: ROWS.map((row) => (row % 7 === 0 ? null : `city ${row % 5}`)) },
    { name: 'price', type: 'DOUBLE', data: ROWS.map((row) => row / 8) },
  ],
  { rowGroupSize: 200, pageSize: 300 },
);
const GOOD = checksummedShard(PLAIN);

const failureOf = (bytes: Uint8Array): Promise<Ncs4cvrError> =>
  readPlainRows(memoryFile(bytes)).then(
    () => expect.unreachable('nothing was refused'),
    (error: unknown) => error as Ncs4cvrError,
  );

describe('a page header', () => {
  it('that makes the decoder go through billions of elements without a byte is refused at once', async () => {
    // Field 9, which nobody knows: a list of 2^31 - 1 booleans. Then others like it.
    const list = [0x99, 0xf1, 0xff, 0xff, 0xff, 0xff, 0x07];
    const lists = Array.from({ length: 40 }, () => [0x19, ...list.slice(1)]).flat();
    const { bytes } = relaidShard(PLAIN, (page) => ({
      header: page.page === 0 && page.column === 'city' ? Uint8Array.from([...list, ...lists]) : page.header,
      body: page.body,
    }));
    const error = await failureOf(bytes);
    expect([error.code, error.location]).toEqual([
      'SHARD_PAGE_CORRUPT',
      { file: 'memory.parquet', rowGroup: 0, column: 'city' },
    ]);
    expect(error.found).toMatch(/^page 0 of the chunk makes no sense/);
  });

  it('is followed to the next page or refused, whatever its bytes are', async () => {
    const shard = await openShard(memoryFile(GOOD.bytes));
    const reads = rowGroupReads(shard, 0, ['id', 'city', 'price']);
    const buffer = await readRanges(shard.file, reads);
    let refused = 0;
    let left = 0;
    for (const chunk of reads.columns.flatMap(({ chunks }) => chunks)) {
      const table = new PageTable();
      checkPages(buffer, chunk, table, true);
      const startByte = table.numbers[PAGE.startByte]!;
      for (let at = chunk.startByte; at < startByte; at++) {
        for (let value = 0; value < 256; value++) {
          try {
            table.keep(0);
            const { endByte, areWhole } = checkPages(overwritten(buffer, at, [value]), chunk, table, true);
            if (!areWhole && endByte < chunk.endByte) left++;
          } catch {
            refused++;
          }
        }
      }
    }
    expect(left).toBe(0);
    expect(refused).toBeGreaterThan(1000);
  });
});

it('whose numbers have more than 32 bits is refused: none of them is cut to what it would fit', async () => {
  // i32 fields of the first version's header, 2^32 more than they are.
  const { bytes } = relaidShard(PLAIN, ({ page, column, header, body }) => ({
    header: page === 0 && column === 'price' ? withLongSize(header) : header,
    body,
  }));
  expect((await failureOf(bytes)).found).toMatch(/is none of 32 bits/);
});

/** The second field, what the page unpacks to, as a number of 33 bits that ends like it. */
function withLongSize(header: Uint8Array): Uint8Array {
  const start = header.findIndex((byte, at) => at > 0 && byte === 0x15) + 1;
  let end = start;
  let value = 0;
  do value += (header[end]! & 127) * 128 ** (end - start);
  while (header[end++]! >= 128);
  value += 2 ** 33;
  const long: number[] = [];
  for (; value >= 128; value = Math.floor(value / 128)) long.push((value % 128) | 128);
  return Uint8Array.from([...header.subarray(0, start), ...long, value, ...header.subarray(end)]);
}

describe('pages with checksums', () => {
  it('are read as the same shard without', async () => {
    expect(GOOD.pages.length).toBeGreaterThan(12);
    expect(await readPlainRows(memoryFile(GOOD.bytes))).toEqual(await readPlainRows(memoryFile(PLAIN)));
  });

  it('are refused with file, row group and column when any of their bits is another', async () => {
    const random = new RandomStream(1);
    for (const { column, rowGroup, startByte, endByte } of GOOD.pages) {
      for (const at of [startByte, endByte - 1, startByte + random.nextBelow(endByte - startByte)]) {
        const flipped = GOOD.bytes[at]! ^ (1 << random.nextBelow(8));
        const error = await failureOf(overwritten(GOOD.bytes, at, [flipped]));
        expect([error.code, error.location]).toEqual([
          'SHARD_PAGE_CORRUPT',
          { file: 'memory.parquet', rowGroup, column },
        ]);
        expect(error.found).toMatch(
          /^page \d+ of the chunk has the checksum [0-9a-f]{8}, its header says [0-9a-f]{8}$/,
        );
      }
    }
  });

  it('are refused when a checksum itself is wrong, or one data page lacks it', async () => {
    const wrong = checksummedShard(PLAIN, (page, crc) => (page === 2 ? crc ^ 1 : crc));
    expect((await failureOf(wrong.bytes)).found).toMatch(/^page 2 of the chunk has the checksum/);
    const last = checksummedShard(PLAIN, (page, crc) => (page === 3 ? undefined : crc));
    expect((await failureOf(last.bytes)).found).toBe('page 3 of the chunk lacks a checksum');
    const first = checksummedShard(PLAIN, (page, crc) => (page === 3 ? crc : undefined));
    expect((await failureOf(first.bytes)).found).toBe('page 3 of the chunk has the first checksum');
  });

  it('may have them on dictionaries or on data alone', async () => {
    const expected = await readPlainRows(memoryFile(PLAIN));
    const dictionaries = checksummedShard(sampleShard(400), (page, crc) => (page === 0 ? crc : undefined));
    expect(await readPlainRows(memoryFile(dictionaries.bytes))).toHaveLength(400);
    const pages = checksummedShard(PLAIN, () => undefined);
    expect(await readPlainRows(memoryFile(pages.bytes))).toEqual(expected);
  });

  const damaged = `${sharedData}nights/damaged/`;
  const names = existsSync(damaged)
    ? readdirSync(damaged).filter((name) => /^crc-.*parquet$/.test(name))
    : [];
  it.skipIf(names.length === 0)(
    'of ../shared/data/nights/damaged are refused (skipped without it)',
    async () => {
      for (const name of names) {
        const failure = await readPlainRows(memoryFile(readFileSync(damaged + name), name)).catch(
          (e: unknown) => e,
        );
        expect(failure, name).toBeInstanceOf(Ncs4cvrError);
        expect(failure, name).toMatchObject({ code: 'SHARD_PAGE_CORRUPT', location: { file: name } });
      }
    },
  );

  const foreign = ['datapage_v1-snappy-compressed-checksum', 'plain-dict-uncompressed-checksum'];
  const foreignFile = (name: string) => `${sharedData}parquet-testing/data/${name}.parquet`;
  it.skipIf(!existsSync(foreignFile(foreign[0]!)))(
    'of other writers are held against them too (skipped without ../shared/data)',
    async () => {
      for (const name of foreign) {
        const bytes = readFileSync(foreignFile(name));
        expect((await readPlainRows(memoryFile(bytes))).length).toBeGreaterThan(0);
        const { meta_data: meta } = parquetMetadata(bytes).row_groups[0]!.columns[0]!;
        const start = meta!.dictionary_page_offset ?? meta!.data_page_offset;
        const last = Number(start + meta!.total_compressed_size) - 1;
        const error = await failureOf(overwritten(bytes, last, [bytes[last]! ^ 4]));
        expect(error.code).toBe('SHARD_PAGE_CORRUPT');
        expect(error.found).toContain('its header says');
      }
    },
  );
});
