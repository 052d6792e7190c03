import { expect } from 'vitest';
import { PageMemory } from '../../lib/parquet/pageMemory.ts';
import { PAGE, PAGE_NUMBERS, PageTable } from '../../lib/parquet/pageTable.ts';

/** Of a chunk, as kernels/pageNumbers.ts has it. */
const CHUNK_NUMBERS = 4;
const CODECS = { ZSTD: 0, SNAPPY: 1 } as const;
/** Behind what is unpacked, as much as a step of any copy and more. */
const CANARY_BYTES = 64;
const CANARY = 0x5a;

/** What a page holds behind its levels. */
export interface Body {
  readonly bytes: Uint8Array;
  readonly unpackedBytes: number;
  readonly isPacked: boolean;
}

/**
 * What the kernel makes of pages, each behind levels of some bytes.
 * @returns as many as it could unpack; nothing behind their room has been written
 */
export function unpackedBodies(
  bodies: readonly Body[],
  {
    levelBytes = 0,
    pagesPerChunk = bodies.length,
    codecs = ['ZSTD'] as readonly (keyof typeof CODECS)[],
  } = {},
): Buffer[] {
  const file = Buffer.concat(bodies.map(({ bytes }) => Buffer.concat([Buffer.alloc(levelBytes, 7), bytes])));
  const unpackedBytes = bodies.reduce((sum, body) => sum + body.unpackedBytes, 0);
  const table = new PageTable();
  let at = 0;
  for (const body of bodies) {
    const page = table.add();
    table.numbers[page + PAGE.startByte] = at;
    at += levelBytes + body.bytes.length;
    table.numbers[page + PAGE.endByte] = at;
    table.numbers[page + PAGE.unpackedBytes] = levelBytes + body.unpackedBytes;
    table.numbers[page + PAGE.definitionBytes] = levelBytes;
    table.numbers[page + PAGE.isPacked] = body.isPacked ? 1 : 0;
  }
  const numbers = table.numbers.subarray(0, PAGE_NUMBERS * table.count);
  const chunkCount = Math.ceil(bodies.length / pagesPerChunk);
  const chunkNumbers = Array.from({ length: chunkCount }, (_, chunk) => ({
    pages: Math.min(pagesPerChunk, bodies.length - chunk * pagesPerChunk),
    codec: CODECS[codecs[chunk % codecs.length]!],
  }));
  const sizes = [file.length, numbers.byteLength, 4 * CHUNK_NUMBERS * chunkCount];
  const sizeBytes = sizes.reduce((sum, size) => sum + size + 16, unpackedBytes + CANARY_BYTES + 16);
  return PageMemory.use(sizeBytes, (pages) => {
    const [placedFile, placed, chunks] = sizes.map((size) => pages.place(size)) as [number, number, number];
    const to = pages.place(unpackedBytes + CANARY_BYTES);
    pages.bytes(to + unpackedBytes, CANARY_BYTES).fill(CANARY);
    pages.bytes(placedFile, file.length).set(file);
    pages.integers(placed, numbers.length).set(numbers);
    const ofChunks = chunkNumbers.flatMap(({ pages: count, codec }) => [placedFile, count, 0, codec]);
    pages.integers(chunks, ofChunks.length).set(ofChunks);
    const count = pages.kernels.unpackBodies(placed, table.count, chunks, to);
    const canary = pages.bytes(to + unpackedBytes, CANARY_BYTES);
    expect(canary.every((byte) => byte === CANARY)).toBe(true);
    const found = pages.integers(placed, numbers.length);
    return Array.from({ length: count }, (_, index) => {
      const start = found[PAGE_NUMBERS * index + PAGE.bodyStart]!;
      const end = found[PAGE_NUMBERS * index + PAGE.bodyEnd]!;
      return Buffer.from(pages.bytes(start, end - start));
    });
  });
}
