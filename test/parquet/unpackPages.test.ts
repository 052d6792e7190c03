import { tableFromArrays, tableToIPC } from 'apache-arrow';
import { Compression, Table, WriterPropertiesBuilder, writeParquet } from 'parquet-wasm/node';
import { describe, expect, it } from 'vitest';
import { checkPages } from '../../lib/parquet/checkPages.ts';
import { openShard } from '../../lib/parquet/openShard.ts';
import { readRanges } from '../../lib/parquet/readRowGroup.ts';
import { ReusedMemory } from '../../lib/parquet/reusedMemory.ts';
import { rowGroupReads } from '../../lib/parquet/rowGroupReads.ts';
import { type PackedBytes, unpackPages } from '../../lib/parquet/unpackPages.ts';
import { memoryFile } from './memoryFile.ts';

/** Pages of a column with a dictionary of some hundred kilobytes, and one with a few bytes: Node itself unpacks large ones where it can. */
const columns = {
  many: BigInt64Array.from({ length: 60_000 }, (_, row) => BigInt((row * 7_919) % 40_000) * 1_000_003n),
  few: Int32Array.from({ length: 60_000 }, (_, row) => row % 3),
};

async function pagesOf(compression: Compression): Promise<PackedBytes[]> {
  const table = Table.fromIPCStream(tableToIPC(tableFromArrays(columns), 'stream'));
  const properties = new WriterPropertiesBuilder().setCompression(compression).build();
  const shard = await openShard(memoryFile(writeParquet(table, properties)));
  const reads = rowGroupReads(shard, 0, Object.keys(columns));
  const buffer = await readRanges(shard.file, reads);
  return reads.columns.flatMap(({ chunks: [chunk] }) =>
    checkPages(buffer, chunk!).pages.map(({ startByte, endByte, unpackedBytes }) => ({
      codec: chunk!.codec,
      packed: buffer.subarray(startByte, endByte),
      unpackedBytes,
    })),
  );
}

function unpacked(pages: readonly PackedBytes[]): string[] {
  return unpackPages(pages, new ReusedMemory()).map(({ bytes, start, end }) =>
    Buffer.from(bytes.bytes.subarray(start, end)).toString('base64'),
  );
}

describe('unpackPages', () => {
  it('unpacks large and small pages of any codec, in their order, to what they were packed from', async () => {
    const plain = await pagesOf(Compression.UNCOMPRESSED);
    const asWritten = plain.map(({ packed }) => Buffer.from(packed).toString('base64'));
    const sizes = plain.map(({ unpackedBytes }) => unpackedBytes);
    expect(Math.max(...sizes)).toBeGreaterThan(200_000);
    expect(Math.min(...sizes)).toBeLessThan(100);
    expect(unpacked(plain)).toEqual(asWritten);
    const zstd = await pagesOf(Compression.ZSTD);
    expect(unpacked(zstd)).toEqual(asWritten);
    const snappy = await pagesOf(Compression.SNAPPY);
    const mixed = plain.map((page, place) => [page, zstd[place]!, snappy[place]!][place % 3]!);
    expect(unpacked(mixed)).toEqual(asWritten);
  });

  it.each([-1, 1])('refuses a page that unpacks to %i bytes other than it says', async (more) => {
    for (const page of await pagesOf(Compression.ZSTD)) {
      const unpackedBytes = page.unpackedBytes + more;
      expect(() => unpackPages([{ ...page, unpackedBytes }], new ReusedMemory())).toThrow();
    }
  });

  it('refuses a page that ends too early', async () => {
    for (const page of await pagesOf(Compression.ZSTD)) {
      const packed = page.packed.subarray(0, page.packed.length - 5);
      expect(() => unpackPages([{ ...page, packed }], new ReusedMemory())).toThrow();
    }
  });

  it('unpacks all frames of a page', async () => {
    for (const page of await pagesOf(Compression.ZSTD)) {
      const packed = Buffer.concat([page.packed, page.packed]);
      const [once, twice] = [page, { ...page, packed, unpackedBytes: 2 * page.unpackedBytes }].map((each) =>
        Buffer.from(unpacked([each])[0]!, 'base64'),
      );
      expect(twice!.equals(Buffer.concat([once!, once!]))).toBe(true);
    }
  });

  it('refuses a page with bytes behind its frame', async () => {
    for (const page of await pagesOf(Compression.ZSTD)) {
      const packed = Buffer.concat([page.packed, Buffer.from('more')]);
      expect(() => unpackPages([{ ...page, packed }], new ReusedMemory())).toThrow();
    }
  });
});
