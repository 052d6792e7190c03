import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import type { CompressionCodec } from 'hyparquet';
import { mostZstdBytes } from './zstdFrame.ts';

/** Bytes that one compressed byte can become at most, by what the formats can express. Without a number: any. */
const MOST_UNPACKED: Partial<Record<CompressionCodec, number>> = {
  UNCOMPRESSED: 1,
  SNAPPY: 22,
  LZ4: 255,
  LZ4_RAW: 255,
  GZIP: 1032,
};
/** Of heads and tails, which count more in tiny pages. */
const SLACK_BYTES = 64;
/** What a page may unpack to beyond what it says before it is worth a look. */
const TOLERABLE_BYTES = 2 ** 26;

/**
 * Checks that what a page says it unpacks to can be true, and that it doesn't unpack to much more: the decoder allocates the one
 * and believes the other. Cheap but for BROTLI, whose pages are unpacked once more: nothing less tells what they hold.
 * @param packed the page's compressed bytes
 * @param claimedBytes what they unpack to according to the page's header
 * @throws Error that says what can't be
 */
export function checkUnpacking(codec: CompressionCodec, packed: Uint8Array, claimedBytes: number): void {
  const most = (MOST_UNPACKED[codec] ?? Number.POSITIVE_INFINITY) * packed.length + SLACK_BYTES;
  if (claimedBytes > most) {
    throw new Error(`${packed.length} bytes of ${codec} can't unpack to ${claimedBytes}`);
  }
  const found = unpackedBytes(codec, packed, claimedBytes);
  if (found > claimedBytes + TOLERABLE_BYTES) {
    throw new Error(`it unpacks to ${found} bytes, its header says ${claimedBytes}`);
  }
}

/** At most so many bytes come out; for codecs whose decoder stops at the claimed size, that. */
function unpackedBytes(codec: CompressionCodec, packed: Uint8Array, claimedBytes: number): number {
  switch (codec) {
    case 'SNAPPY':
      return varintAt(packed);
    case 'ZSTD':
      return mostZstdBytes(packed);
    case 'GZIP':
      return gzipBytes(packed, claimedBytes);
    case 'BROTLI':
      return lengthUpTo(claimedBytes, (maxOutputLength) => brotliDecompressSync(packed, { maxOutputLength }));
    default:
      return claimedBytes;
  }
}

/** A number of seven bits a byte, the lowest first: how a Snappy block begins. */
function varintAt(bytes: Uint8Array): number {
  let value = 0;
  for (const [index, byte] of bytes.subarray(0, 5).entries()) {
    value += (byte & 127) * 2 ** (7 * index);
    if (byte < 128) break;
  }
  return value;
}

const GZIP_MAGIC = Uint8Array.of(0x1f, 0x8b, 0x08);

/** The length at the end is right unless there are more members than one; anything else is unpacked to see. */
function gzipBytes(packed: Uint8Array, claimedBytes: number): number {
  const most = MOST_UNPACKED.GZIP! * packed.length;
  if (most <= claimedBytes + TOLERABLE_BYTES) return most;
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
  const isSingle = bytes.indexOf(GZIP_MAGIC, GZIP_MAGIC.length) < 0;
  if (isSingle && bytes.readUInt32LE(bytes.length - 4) === claimedBytes) return claimedBytes;
  return lengthUpTo(claimedBytes, (maxOutputLength) => gunzipSync(packed, { maxOutputLength }));
}

/** Bytes that cannot be unpacked are the decoder's to refuse. */
function lengthUpTo(claimedBytes: number, unpack: (maxOutputLength: number) => Uint8Array): number {
  try {
    unpack(claimedBytes + TOLERABLE_BYTES);
    return claimedBytes;
  } catch (error) {
    const isMore = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
    return isMore ? Number.POSITIVE_INFINITY : claimedBytes;
  }
}
