const HAS_CHECKSUM = 0b100;
const HAS_OTHERS = 0b1011;
const SINGLE_SEGMENT = 0b100000;
/** Kinds of blocks: one byte that is repeated, and compressed ones, which unpack to no more than this. */
const REPEATED = 1;
const COMPRESSED = 2;
const MOST_BLOCK_BYTES = 128 * 1024;

/** What the heads of a ZSTD frame and of its blocks say: https://www.rfc-editor.org/rfc/rfc8878 (3.1.1). */
interface ZstdFrame {
  /** Behind it; infinite where it ends too early. */
  readonly endByte: number;
  /** What it unpacks to at most. */
  readonly mostBytes: number;
  /** What it says that it unpacks to, where it does; decoders refuse one that unpacks to anything else. */
  readonly contentBytes: number | undefined;
  /** Without a dictionary or what is reserved. */
  readonly isPlain: boolean;
}

/** The frame that begins there, if one does. Of hundreds of thousands of tiny pages: hardly anything is allocated. */
function readFrame(bytes: Uint8Array, startByte: number): ZstdFrame | undefined {
  if (uint32At(bytes, startByte) !== 0xfd2fb528) return undefined;
  const descriptor = bytes[startByte + 4]!;
  const isSingleSegment = (descriptor & SINGLE_SEGMENT) !== 0;
  const isPlain = (descriptor & HAS_OTHERS) === 0;
  const dictionaryBytes = (1 << (descriptor & 3)) >> 1;
  const sizeBytes = descriptor < 64 ? (isSingleSegment ? 1 : 0) : 1 << (descriptor >> 6);
  // A window stands before what follows, but in a single segment.
  const sizeStart = startByte + (isSingleSegment ? 5 : 6) + dictionaryBytes;
  const contentBytes =
    sizeBytes === 0 ? undefined : numberAt(bytes, sizeStart, sizeBytes) + (sizeBytes === 2 ? 256 : 0);
  let mostBytes = 0;
  let at = sizeStart + sizeBytes;
  for (let isLast = false; !isLast; ) {
    if (at + 3 > bytes.length) return { endByte: Number.POSITIVE_INFINITY, mostBytes, contentBytes, isPlain };
    const head = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
    const kind = (head >> 1) & 3;
    isLast = (head & 1) !== 0;
    mostBytes += kind === COMPRESSED ? MOST_BLOCK_BYTES : head >> 3;
    at += 3 + (kind === REPEATED ? 1 : head >> 3);
  }
  const endByte = at + ((descriptor & HAS_CHECKSUM) === 0 ? 0 : 4);
  return { endByte, mostBytes, contentBytes, isPlain };
}

/**
 * The single frame of some bytes.
 * @returns undefined for several frames, one with a dictionary, and where one doesn't end with the bytes
 */
export function singleZstdFrame(packed: Uint8Array): Pick<ZstdFrame, 'contentBytes'> | undefined {
  const frame = readFrame(packed, 0);
  return frame?.isPlain && frame.endByte === packed.length ? frame : undefined;
}

/** What frames, one behind the other, unpack to at most. One that ends too early, which decoders refuse, counts as far as it goes. */
export function mostZstdBytes(packed: Uint8Array): number {
  let bytes = 0;
  for (let at = 0; at + 4 < packed.length; ) {
    // Something else, which decoders step over.
    if (uint32At(packed, at) >>> 4 === 0x184d2a5) {
      at += 8 + uint32At(packed, at + 4);
      continue;
    }
    const frame = readFrame(packed, at);
    if (frame === undefined) break;
    bytes += frame.mostBytes;
    at = frame.endByte;
  }
  return bytes;
}

/** Pages are too small and too many for a view of each. A byte that isn't there counts as 0. */
function uint32At(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

/** Little end first, as `uint32At`. */
function numberAt(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let index = count - 1; index >= 0; index--) value = value * 256 + (bytes[at + index] ?? 0);
  return value;
}
