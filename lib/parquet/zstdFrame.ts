const HAS_CHECKSUM = 0b100;
const HAS_OTHERS = 0b1011;
const SINGLE_SEGMENT = 0b100000;
/** A block of one byte that is repeated. */
const REPEATED = 1;

/** A ZSTD frame that is all of some bytes. */
interface ZstdFrame {
  /** What it says that it unpacks to, where it does; decoders refuse one that unpacks to anything else. */
  readonly contentBytes: number | undefined;
}

/**
 * The single frame of some bytes: https://www.rfc-editor.org/rfc/rfc8878 (3.1.1).
 * @returns undefined for several frames, one with a dictionary, and where one doesn't end with the bytes
 */
export function singleZstdFrame(packed: Uint8Array): ZstdFrame | undefined {
  // Of hundreds of thousands of tiny pages: no calls, no arrays.
  if (packed[0] !== 0x28 || packed[1] !== 0xb5 || packed[2] !== 0x2f || packed[3] !== 0xfd) return undefined;
  const descriptor = packed[4]!;
  if ((descriptor & HAS_OTHERS) !== 0) return undefined;
  const isSingleSegment = (descriptor & SINGLE_SEGMENT) !== 0;
  // The first one without a window before it.
  const sizeBytes = descriptor < 64 ? (isSingleSegment ? 1 : 0) : 1 << (descriptor >> 6);
  const sizeStart = isSingleSegment ? 5 : 6;
  const contentBytes =
    sizeBytes === 0 ? undefined : numberAt(packed, sizeStart, sizeBytes) + (sizeBytes === 2 ? 256 : 0);
  let at = sizeStart + sizeBytes;
  for (let isLast = false; !isLast; ) {
    if (at + 3 > packed.length) return undefined;
    const head = packed[at]! | (packed[at + 1]! << 8) | (packed[at + 2]! << 16);
    isLast = (head & 1) !== 0;
    at += 3 + (((head >> 1) & 3) === REPEATED ? 1 : head >> 3);
  }
  if ((descriptor & HAS_CHECKSUM) !== 0) at += 4;
  return at === packed.length ? { contentBytes } : undefined;
}

/** Little end first. A byte that isn't there counts as 0. */
function numberAt(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let index = count - 1; index >= 0; index--) value = value * 256 + (bytes[at + index] ?? 0);
  return value;
}
