import * as zlib from 'node:zlib';
import type { CompressionCodec } from 'hyparquet';
import { CompactWriter } from './compactWriter.ts';
import { encodeFooter, MAGIC } from './encodeFooter.ts';
import { encodeSchema } from './footerSchema.ts';
import { unpackHadoopLz4 } from './hadoopLz4.ts';
import { ENCODING } from './pageTable.ts';
import type { ReusedMemory } from './reusedMemory.ts';
import { decodeBatches } from './wasmDecoder.ts';
import { PAGE_HEADER_BYTES, writePageHeader } from './writePageHeader.ts';
import { singleZstdFrame } from './zstdFrame.ts';

/** Bytes as a page of a column chunk holds them. */
export interface PackedPage {
  readonly codec: CompressionCodec;
  readonly packed: Uint8Array;
  /** What they unpack to. */
  readonly unpackedBytes: number;
}

/** Pages one behind the other. */
interface UnpackedPages {
  readonly bytes: Uint8Array;
  /** Which of those that were given. */
  readonly places: readonly number[];
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

/** Enough for the footer, with room to spare: it has one row group of one column. */
const FOOTER_BYTES = 512;

/** From Node 22.15 on, which the types of Node 20 don't know: twice as fast as ZSTD in WebAssembly. */
const { zstdDecompressSync } = zlib as {
  readonly zstdDecompressSync?: (packed: Uint8Array, options: zlib.ZlibOptions) => Uint8Array;
};
/** A call of it takes 16 microseconds at the least, for which WebAssembly unpacks some eight thousand bytes. */
const LEAST_NATIVE_BYTES = 32 * 1024;

/** What one call of arrow-rs unpacks, unless a page alone takes more: it needs some five times as much meanwhile. */
export const CALL_BYTES = 32 * 1024 * 1024;

/**
 * Whether a page is unpacked in WebAssembly, where its values are decoded: by Snappy, or a small one by ZSTD. Tells without a look at the
 * packed bytes.
 */
export function isUnpackedByKernels(codec: CompressionCodec, unpackedBytes: number): boolean {
  if (codec === 'SNAPPY') return true;
  return codec === 'ZSTD' && (zstdDecompressSync === undefined || unpackedBytes < LEAST_NATIVE_BYTES);
}

/** Whether `unpackElsewhere` may give pages of a codec to arrow-rs. */
export function mayNeedArrowRs(codec: CompressionCodec): boolean {
  return codec !== 'SNAPPY' && codec !== 'UNCOMPRESSED' && codec !== 'ZSTD';
}

/** Whether `unpackElsewhere` takes a page. Not ZSTD in several frames, large as it may be: Node reads those differently than others do. */
export function isUnpackedElsewhere({ codec, packed, unpackedBytes }: PackedPage): boolean {
  if (isUnpackedByKernels(codec, unpackedBytes)) return false;
  return codec !== 'ZSTD' || singleZstdFrame(packed) !== undefined;
}

/**
 * Unpacks the pages that our own WebAssembly doesn't: large ones of ZSTD with Node's zlib, Hadoop's LZ4 with `unpackHadoopLz4`, and
 * those of all other codecs with arrow-rs, which is given many pages of a codec at a time, as a column of single bytes.
 * @param pages for which `isUnpackedElsewhere` is true
 * @param memory for a copy of what is packed
 * @returns what is to be copied before the next is asked for: all at once would be as large as a column
 * @throws as decodeBatches, also when a page unpacks to another number of bytes than it says
 */
export function* unpackElsewhere(
  pages: readonly PackedPage[],
  memory: ReusedMemory,
): Generator<UnpackedPages> {
  const ofCodecs = new Map<CompressionCodec, number[]>();
  for (const [place, { codec, packed, unpackedBytes }] of pages.entries()) {
    const bytes = unpackHere(codec, packed, unpackedBytes);
    if (bytes !== undefined) yield { bytes, places: [place] };
    else if (!ofCodecs.get(codec)?.push(place)) ofCodecs.set(codec, [place]);
  }
  for (const [codec, ofCodec] of ofCodecs) {
    for (const places of calls(ofCodec, pages)) {
      const packed = places.map((place) => pages[place]!);
      yield { bytes: unpackBytes(packed, codec, memory), places };
    }
  }
}

/** Neighbours that a call unpacks together. */
function* calls(places: readonly number[], pages: readonly PackedPage[]): Generator<number[]> {
  let call: number[] = [];
  let bytes = 0;
  for (const place of places) {
    const { unpackedBytes } = pages[place]!;
    if (call.length > 0 && bytes + unpackedBytes > CALL_BYTES) {
      yield call;
      [call, bytes] = [[], 0];
    }
    call.push(place);
    bytes += unpackedBytes;
  }
  yield call;
}

/** Undefined for what arrow-rs is to unpack. */
function unpackHere(
  codec: CompressionCodec,
  packed: Uint8Array,
  unpackedBytes: number,
): Uint8Array | undefined {
  if (codec === 'ZSTD') return unpackZstd(packed, unpackedBytes);
  return codec === 'LZ4' ? unpackHadoopLz4(packed, unpackedBytes) : undefined;
}

function unpackZstd(packed: Uint8Array, unpackedBytes: number): Uint8Array {
  const bytes = zstdDecompressSync!(packed, { chunkSize: unpackedBytes, maxOutputLength: unpackedBytes });
  if (bytes.length === unpackedBytes) return bytes;
  throw new Error(`a page doesn't unpack to the ${unpackedBytes} bytes that it says`);
}

function unpackBytes(
  pages: readonly PackedPage[],
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
  pages: readonly PackedPage[],
  codec: CompressionCodec,
  unpackedBytes: number,
  into: Uint8Array,
): Uint8Array {
  const writer = new CompactWriter(into);
  writer.writeBytes(MAGIC);
  for (const page of pages) {
    const { packed, unpackedBytes: valueCount } = page;
    writePageHeader(writer, valueCount, packed.length, {
      ...{ kind: 'data', valueCount, encoding: ENCODING.plain },
      ...{ definitionEncoding: ENCODING.rle, repetitionEncoding: ENCODING.rle },
    });
    writer.writeBytes(packed);
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
