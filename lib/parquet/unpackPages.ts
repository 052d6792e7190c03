import * as zlib from 'node:zlib';
import type { CompressionCodec } from 'hyparquet';
import { INT32, STOP, STRUCT } from './compactReader.ts';
import { CompactWriter } from './compactWriter.ts';
import { encodeFooter, MAGIC } from './encodeFooter.ts';
import { encodeSchema } from './footerSchema.ts';
import { viewed } from './hybridRuns.ts';
import type { PageSection } from './levels.ts';
import type { ReusedMemory } from './reusedMemory.ts';
import { decodeBatches } from './wasmDecoder.ts';
import { singleZstdFrame } from './zstdFrame.ts';

/** Bytes as a page of a column chunk holds them. */
export interface PackedBytes {
  readonly codec: CompressionCodec;
  readonly packed: Uint8Array;
  /** What they unpack to: at least one. */
  readonly unpackedBytes: number;
}

/** One byte a value, none of them null: the values of a page of it are the page's bytes. */
const ONE_BYTE = 'FIXED_LEN_BYTE_ARRAY';
const byteSchema = encodeSchema([
  {
    name: 'bytes',
    elements: [{ name: 'bytes', type: ONE_BYTE, type_length: 1, repetition_type: 'REQUIRED' }],
    leaves: [],
  },
]);

/** Enough for the header of a page, */
const PAGE_HEADER_BYTES = 48;
/** and for the footer, with room to spare: it has one row group of one column. */
const FOOTER_BYTES = 512;
const DATA_PAGE = 0;
const PLAIN = 0;
const RLE = 3;

/** What is joined is held once more while it is unpacked; larger pages cost no more apart. */
const MOST_JOINED_BYTES = 256 * 1024;

/** From Node 22.15 on, which the types of Node 20 don't know: twice as fast as ZSTD in WebAssembly. */
const { zstdDecompressSync } = zlib as {
  readonly zstdDecompressSync?: (packed: Uint8Array, options: zlib.ZlibOptions) => Uint8Array;
};
/** A call of it takes 16 microseconds at the least, for which WebAssembly unpacks some six thousand bytes. */
const LEAST_NATIVE_BYTES = 32 * 1024;

/**
 * Unpacks pages of any codec that arrow-rs reads, with one call of it for each codec: it gets them as pages of a column of single
 * bytes. Bytes of one codec are unpacked one behind the other into the same memory; what isn't packed stays where it is.
 * @param memory for a copy of what is packed
 * @returns in the order of the pages
 * @throws as decodeBatches, also when a page unpacks to another number of bytes than it says
 */
export function unpackPages(pages: readonly PackedBytes[], memory: ReusedMemory): PageSection[] {
  const unpacked = pages.map(withoutDecoder);
  const isLeft = (place: number) => unpacked[place] === undefined;
  for (const codec of new Set(pages.filter((_, place) => isLeft(place)).map((page) => page.codec))) {
    const packed = pages.filter((page, place) => page.codec === codec && isLeft(place));
    const bytes = viewed(unpackBytes(packed, codec, memory));
    let end = 0;
    for (const [place, page] of pages.entries()) {
      if (page.codec !== codec || !isLeft(place)) continue;
      const start = end;
      end += page.unpackedBytes;
      unpacked[place] = { bytes, start, end };
    }
  }
  return unpacked as PageSection[];
}

/** What needs no decoder: bytes that aren't packed, and large pages where Node unpacks them itself. */
function withoutDecoder({ codec, packed, unpackedBytes }: PackedBytes): PageSection | undefined {
  if (codec === 'UNCOMPRESSED') return { bytes: viewed(packed), start: 0, end: packed.length };
  if (codec !== 'ZSTD' || zstdDecompressSync === undefined || unpackedBytes < LEAST_NATIVE_BYTES) {
    return undefined;
  }
  // What Node makes of several frames isn't what arrow-rs makes of them.
  if (singleZstdFrame(packed) === undefined) return undefined;
  const bytes = zstdDecompressSync(packed, { chunkSize: unpackedBytes, maxOutputLength: unpackedBytes });
  if (bytes.length !== unpackedBytes) {
    throw new Error(`a page doesn't unpack to the ${unpackedBytes} bytes that it says`);
  }
  return { bytes: viewed(bytes), start: 0, end: unpackedBytes };
}

function unpackBytes(
  pages: readonly PackedBytes[],
  codec: CompressionCodec,
  memory: ReusedMemory,
): Uint8Array {
  let packedBytes = 0;
  let unpackedBytes = 0;
  for (const page of pages) {
    packedBytes += page.packed.length;
    unpackedBytes += page.unpackedBytes;
  }
  const pagesBytes = packedBytes + PAGE_HEADER_BYTES * pages.length;
  const fileBytes = MAGIC.length + pagesBytes + FOOTER_BYTES;
  return memory.borrowBytes(fileBytes, (file) => unpackFile(pages, codec, unpackedBytes, file));
}

/** @param into memory for a file of these pages */
function unpackFile(
  pages: readonly PackedBytes[],
  codec: CompressionCodec,
  unpackedBytes: number,
  into: Uint8Array,
): Uint8Array {
  const writer = new CompactWriter(into);
  writer.writeBytes(MAGIC);
  for (const some of joinFrames(pages)) {
    writePageHeader(writer, some);
    for (const { packed } of some) writer.writeBytes(packed);
  }
  const chunk = {
    ...({ type: ONE_BYTE, codec, valueCount: unpackedBytes, uncompressedBytes: unpackedBytes } as const),
    ...{ startByte: MAGIC.length, endByte: writer.at, dataPageOffset: 0 },
  };
  writer.writeBytes(encodeFooter(byteSchema, [{ rowCount: unpackedBytes, chunks: [chunk] }]));
  const file = writer.finish();
  const batches = decodeBatches(file, unpackedBytes);
  const bytes = batches[0]?.data.children[0]?.values as Uint8Array | undefined;
  if (batches.length !== 1 || bytes?.length !== unpackedBytes) {
    throw new Error(`the pages don't unpack to the ${unpackedBytes} bytes that they say`);
  }
  return bytes;
}

/**
 * Neighbours as they are written into one page: ZSTD's frames can stand one behind the other, and what a page takes is a third of
 * what unpacking some hundred bytes does. Only frames that say themselves what they unpack to: of the others arrow-rs would check
 * no more than the sum. @internal exported for tests
 */
export function joinFrames(pages: readonly PackedBytes[]): PackedBytes[][] {
  const joined: PackedBytes[][] = [];
  /** Of the last ones, if another frame may follow. */
  let openBytes: number | undefined;
  for (const page of pages) {
    const isFrame =
      page.codec === 'ZSTD' && singleZstdFrame(page.packed)?.contentBytes === page.unpackedBytes;
    if (isFrame && openBytes !== undefined && openBytes + page.unpackedBytes <= MOST_JOINED_BYTES) {
      joined.at(-1)!.push(page);
      openBytes += page.unpackedBytes;
    } else {
      joined.push([page]);
      openBytes = isFrame ? page.unpackedBytes : undefined;
    }
  }
  return joined;
}

/** PageHeader of a data page of the first version, whose values are the bytes of these pages. */
function writePageHeader(writer: CompactWriter, pages: readonly PackedBytes[]): void {
  let packedBytes = 0;
  let unpackedBytes = 0;
  for (const page of pages) {
    packedBytes += page.packed.length;
    unpackedBytes += page.unpackedBytes;
  }
  writer.writeInteger(1, INT32, DATA_PAGE);
  writer.writeInteger(1, INT32, unpackedBytes);
  writer.writeInteger(1, INT32, packedBytes);
  writer.writeHead(2, STRUCT);
  writer.writeInteger(1, INT32, unpackedBytes);
  writer.writeInteger(1, INT32, PLAIN);
  writer.writeInteger(1, INT32, RLE);
  writer.writeInteger(1, INT32, RLE);
  writer.writeByte(STOP);
  writer.writeByte(STOP);
}
