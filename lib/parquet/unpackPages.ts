import * as zlib from 'node:zlib';
import type { CompressionCodec } from 'hyparquet';
import { INT32, STOP, STRUCT } from './compactReader.ts';
import { CompactWriter } from './compactWriter.ts';
import { encodeFooter, MAGIC } from './encodeFooter.ts';
import { encodeSchema } from './footerSchema.ts';
import { viewed } from './hybridRuns.ts';
import type { PageSection } from './levels.ts';
import type { ReusedMemory } from './reusedMemory.ts';
import { type PackedPage, unpackZstd } from './unpackZstd.ts';
import { decodeBatches } from './wasmDecoder.ts';
import { singleZstdFrame } from './zstdFrame.ts';

export interface PackedBytes extends PackedPage {
  readonly codec: CompressionCodec;
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

/** What libzstd unpacks at a time: its memory never shrinks. Larger pages are arrow-rs's, which has the like. */
const MOST_ZSTD_BYTES = 32 * 1024 * 1024;

/** From Node 22.15 on, which the types of Node 20 don't know: twice as fast as ZSTD in WebAssembly. */
const { zstdDecompressSync } = zlib as {
  readonly zstdDecompressSync?: (packed: Uint8Array, options: zlib.ZlibOptions) => Uint8Array;
};
/** A call of it takes 16 microseconds at the least, for which WebAssembly unpacks some eight thousand bytes. */
const LEAST_NATIVE_BYTES = 32 * 1024;

/**
 * Unpacks pages of any codec that arrow-rs reads: ZSTD by libzstd, which is nearly twice as fast with small pages, and others by one
 * call of arrow-rs for each codec, which gets them as pages of a column of single bytes. Bytes of one codec are unpacked one behind
 * the other into the same memory; what isn't packed stays where it is.
 * @param memory of what libzstd unpacks, and for a copy of what is packed
 * @returns in the order of the pages
 * @throws as decodeBatches and unpackZstd, also when a page unpacks to another number of bytes than it says
 */
export function unpackPages(pages: readonly PackedBytes[], memory: ReusedMemory): PageSection[] {
  const unpacked: PageSection[] = new Array(pages.length);
  /** Of the pages that need a decoder, by their codec. */
  const places = new Map<CompressionCodec, number[]>();
  const zstdPlaces: number[] = [];
  for (const [place, page] of pages.entries()) {
    const section = withoutDecoder(page);
    if (section !== undefined) unpacked[place] = section;
    else if (page.codec === 'ZSTD' && page.unpackedBytes <= MOST_ZSTD_BYTES) zstdPlaces.push(place);
    else if (!places.get(page.codec)?.push(place)) places.set(page.codec, [place]);
  }
  const place = (own: readonly number[], bytes: Uint8Array) => {
    const all = viewed(bytes);
    let start = 0;
    for (const each of own) {
      const end = start + pages[each]!.unpackedBytes;
      unpacked[each] = { bytes: all, start, end };
      start = end;
    }
  };
  for (const own of ofAtMost(MOST_ZSTD_BYTES, zstdPlaces, pages)) {
    const packed = own.map((each) => pages[each]!);
    const bytes = memory.takeBytes(packed.reduce((sum, { unpackedBytes }) => sum + unpackedBytes, 0));
    unpackZstd(packed, bytes);
    place(own, bytes);
  }
  for (const [codec, own] of places) {
    const packed = own.map((each) => pages[each]!);
    place(own, unpackBytes(packed, codec, memory));
  }
  return unpacked;
}

/** Neighbours that unpack to so many bytes at most together, or a single one. */
function ofAtMost(
  mostBytes: number,
  places: readonly number[],
  pages: readonly PackedBytes[],
): readonly (readonly number[])[] {
  const split: number[][] = [];
  let splitBytes = Number.POSITIVE_INFINITY;
  for (const place of places) {
    const { unpackedBytes } = pages[place]!;
    if (splitBytes + unpackedBytes > mostBytes) {
      split.push([]);
      splitBytes = 0;
    }
    split.at(-1)!.push(place);
    splitBytes += unpackedBytes;
  }
  return split;
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
  for (const page of pages) {
    writePageHeader(writer, page);
    writer.writeBytes(page.packed);
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

/** PageHeader of a data page of the first version, whose values are the bytes of a page. */
function writePageHeader(writer: CompactWriter, { packed, unpackedBytes }: PackedBytes): void {
  writer.writeInteger(1, INT32, DATA_PAGE);
  writer.writeInteger(1, INT32, unpackedBytes);
  writer.writeInteger(1, INT32, packed.length);
  writer.writeHead(2, STRUCT);
  writer.writeInteger(1, INT32, unpackedBytes);
  writer.writeInteger(1, INT32, PLAIN);
  writer.writeInteger(1, INT32, RLE);
  writer.writeInteger(1, INT32, RLE);
  writer.writeByte(STOP);
  writer.writeByte(STOP);
}
