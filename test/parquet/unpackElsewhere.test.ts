import * as zlib from 'node:zlib';
import { tableFromArrays, tableToIPC } from 'apache-arrow';
import { Compression, Table, WriterPropertiesBuilder, writeParquet } from 'parquet-wasm/node';
import { describe, expect, it } from 'vitest';
import { checkPages } from '../../lib/parquet/checkPages.ts';
import { decodeDictionaryColumns } from '../../lib/parquet/dictionaryColumns.ts';
import { openShard } from '../../lib/parquet/openShard.ts';
import { PAGE, PAGE_NUMBERS, PageTable } from '../../lib/parquet/pageTable.ts';
import { readRanges } from '../../lib/parquet/readRowGroup.ts';
import { ReusedMemory } from '../../lib/parquet/reusedMemory.ts';
import { rowGroupReads } from '../../lib/parquet/rowGroupReads.ts';
import { isUnpackedElsewhere, type PackedPage, unpackElsewhere } from '../../lib/parquet/unpackElsewhere.ts';
import { memoryFile } from './memoryFile.ts';

/** Pages of a column with a dictionary of some hundred kilobytes, and one with a few bytes: Node itself unpacks large ones where it can. */
const columns = {
  many: BigInt64Array.from({ length: 60_000 }, (_, row) => BigInt((row * 7_919) % 40_000) * 1_000_003n),
  few: Int32Array.from({ length: 60_000 }, (_, row) => row % 3),
};

async function pagesOf(compression: Compression): Promise<PackedPage[]> {
  const table = Table.fromIPCStream(tableToIPC(tableFromArrays(columns), 'stream'));
  const properties = new WriterPropertiesBuilder().setCompression(compression).build();
  const shard = await openShard(memoryFile(writeParquet(table, properties)));
  const reads = rowGroupReads(shard, 0, Object.keys(columns));
  const buffer = await readRanges(shard.file, reads);
  return reads.columns.flatMap(({ chunks: [chunk] }) => {
    const pages = new PageTable();
    checkPages(buffer, chunk!, pages, true);
    return Array.from({ length: pages.count }, (_, page) => {
      const at = PAGE_NUMBERS * page;
      const packed = buffer.subarray(pages.numbers[at + PAGE.startByte], pages.numbers[at + PAGE.endByte]);
      return { codec: chunk!.codec, packed, unpackedBytes: pages.numbers[at + PAGE.unpackedBytes]! };
    });
  });
}

/** In the order of the pages; undefined for one that is left out. */
function unpacked(pages: readonly PackedPage[]): (string | undefined)[] {
  const found: (string | undefined)[] = pages.map(() => undefined);
  for (const { bytes, places } of unpackElsewhere(pages, new ReusedMemory())) {
    let at = 0;
    for (const place of places) {
      const end = at + pages[place]!.unpackedBytes;
      found[place] = Buffer.from(bytes.subarray(at, end)).toString('base64');
      at = end;
    }
    expect(at).toBe(bytes.length);
  }
  return found;
}

/** Where Node has none, libzstd in WebAssembly unpacks all of them. */
const hasNative = 'zstdDecompressSync' in zlib;
const areElsewhere = (pages: readonly PackedPage[]) => pages.filter(isUnpackedElsewhere);

describe('unpackElsewhere', () => {
  it('unpacks pages of any codec, in their order, to what they were packed from, ZSTD only large ones', async () => {
    const plain = await pagesOf(Compression.UNCOMPRESSED);
    const asWritten = plain.map(({ packed }) => Buffer.from(packed).toString('base64'));
    const sizes = plain.map(({ unpackedBytes }) => unpackedBytes);
    expect(Math.max(...sizes)).toBeGreaterThan(200_000);
    expect(Math.min(...sizes)).toBeLessThan(100);
    const [raw, gzip] = [await pagesOf(Compression.LZ4_RAW), await pagesOf(Compression.GZIP)];
    expect(unpacked(raw)).toEqual(asWritten);
    expect(unpacked(await pagesOf(Compression.LZ4))).toEqual(asWritten);
    const mixed = raw.map((page, place) => (place % 2 === 0 ? page : gzip[place]!));
    expect(unpacked(mixed)).toEqual(asWritten);
    const large = areElsewhere(await pagesOf(Compression.ZSTD));
    expect(large.length > 0).toBe(hasNative);
    expect(unpacked(large)).toEqual(asWritten.filter((_, place) => hasNative && sizes[place]! >= 32 * 1024));
  });

  const damaged: [string, (page: PackedPage) => PackedPage][] = [
    ['that unpacks to more than it says', (page) => ({ ...page, unpackedBytes: page.unpackedBytes - 1 })],
    ['that ends too early', (page) => ({ ...page, packed: page.packed.subarray(0, -5) })],
    [
      'with bytes behind its end',
      (page) => ({ ...page, packed: Buffer.concat([page.packed, Buffer.from('more')]) }),
    ],
  ];
  it.each(damaged)('refuses a page %s', async (_, damage) => {
    for (const page of await pagesOf(Compression.LZ4_RAW)) expect(() => unpacked([damage(page)])).toThrow();
  });

  const less = (page: PackedPage) => ({ ...page, unpackedBytes: page.unpackedBytes + 1 });
  it.each([...damaged, ['that unpacks to less than it says', less] as const])(
    'refuses a large page of ZSTD %s, or leaves it to libzstd, which does',
    async (_, damage) => {
      for (const page of areElsewhere((await pagesOf(Compression.ZSTD)).map(damage))) {
        expect(() => unpacked([page])).toThrow();
      }
    },
  );

  it('unpacks 32 MiB by a call and no more, and leaves a column with a larger page to arrow-rs, unless it is of Snappy', async () => {
    const [page] = (await pagesOf(Compression.LZ4_RAW)).sort((a, b) => b.unpackedBytes - a.unpackedBytes);
    const pages = Array(200).fill(page) as PackedPage[];
    const calls = [...unpackElsewhere(pages, new ReusedMemory())];
    expect(calls.flatMap(({ places }) => places)).toEqual([...pages.keys()]);
    expect(calls.length).toBe(Math.ceil(200 / Math.floor(2 ** 25 / page!.unpackedBytes)));
    for (const [codec, rowCount, isDictionary] of [
      [Compression.LZ4_RAW, 2 ** 22, true],
      [Compression.LZ4_RAW, 2 ** 22 + 1, false],
      [Compression.SNAPPY, 2 ** 22 + 1, true],
    ] as const) {
      const column = { zeros: new BigInt64Array(rowCount) };
      const table = Table.fromIPCStream(tableToIPC(tableFromArrays(column), 'stream'));
      const properties = new WriterPropertiesBuilder()
        .setCompression(codec)
        .setDictionaryEnabled(false)
        .setDataPageSizeLimit(2 ** 30)
        .setWriteBatchSize(2 ** 23)
        .setMaxRowGroupSize(2 ** 23)
        .build();
      const shard = await openShard(memoryFile(writeParquet(table, properties)));
      const reads = rowGroupReads(shard, 0, ['zeros']);
      const rowGroup = { uri: 'mem', reads, buffer: await readRanges(shard.file, reads) };
      const found = decodeDictionaryColumns([rowGroup], new Set(['zeros']), new ReusedMemory());
      expect(found.has('zeros')).toBe(isDictionary);
    }
  });

  it('leaves all pages of Snappy to the kernels', async () => {
    expect(areElsewhere(await pagesOf(Compression.SNAPPY))).toEqual([]);
  });

  it('leaves pages of several ZSTD frames to libzstd', async () => {
    for (const page of await pagesOf(Compression.ZSTD)) {
      const packed = Buffer.concat([page.packed, page.packed]);
      expect(isUnpackedElsewhere({ ...page, packed, unpackedBytes: 2 * page.unpackedBytes })).toBe(false);
    }
  });
});
