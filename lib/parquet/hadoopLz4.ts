/** Of a number before a frame and before each of its blocks, big-endian. */
const SIZE_BYTES = 4;
/** A length of a sequence that goes on in the bytes behind it. */
const LONG_LENGTH = 15;
const SHORTEST_MATCH = 4;

/**
 * Unpacks a page of Parquet's codec LZ4 as Hadoop writes it: frames of what they unpack to and, each behind its size, LZ4 blocks. A page
 * that is larger than Hadoop's buffer takes several frames, or one of several blocks; arrow-rs refuses most of the former, namely where
 * the last frame is no larger than the one before, and all of the latter.
 * @param unpackedBytes that all of it unpacks to
 * @returns undefined for anything else: old writers mean other framings by the same codec, which arrow-rs tells apart
 */
export function unpackHadoopLz4(packed: Uint8Array, unpackedBytes: number): Uint8Array | undefined {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  const unpacked = new Uint8Array(unpackedBytes);
  let to = 0;
  for (let at = 0; at < packed.length; ) {
    if (at + SIZE_BYTES > packed.length) return undefined;
    // Hadoop may close a page with a frame of nothing, without any block.
    const frameEnd = to + view.getUint32(at);
    at += SIZE_BYTES;
    if (frameEnd > unpackedBytes) return undefined;
    while (to < frameEnd) {
      if (at + SIZE_BYTES > packed.length) return undefined;
      const blockStart = at + SIZE_BYTES;
      at = blockStart + view.getUint32(at);
      if (at > packed.length) return undefined;
      const end = unpackBlock(packed.subarray(blockStart, at), unpacked.subarray(to, frameEnd));
      // A block of nothing would be read for ever.
      if (end <= 0) return undefined;
      to += end;
    }
  }
  return to === unpackedBytes ? unpacked : undefined;
}

/** @returns how many bytes it unpacks to; -1 when it is no block, or doesn't fit */
function unpackBlock(block: Uint8Array, into: Uint8Array): number {
  let at = 0;
  let to = 0;
  while (at < block.length) {
    const token = block[at++]!;
    let literals = token >> 4;
    if (literals === LONG_LENGTH) {
      const more = longLength(block, at);
      literals += more.length;
      at = more.end;
    }
    if (literals > block.length - at || literals > into.length - to) return -1;
    into.set(block.subarray(at, at + literals), to);
    at += literals;
    to += literals;
    // The last sequence has no match.
    if (at === block.length) return to;
    if (at + 2 > block.length) return -1;
    const distance = block[at]! | (block[at + 1]! << 8);
    at += 2;
    let length = token & LONG_LENGTH;
    if (length === LONG_LENGTH) {
      const more = longLength(block, at);
      length += more.length;
      at = more.end;
    }
    length += SHORTEST_MATCH;
    if (distance === 0 || distance > to || length > into.length - to) return -1;
    if (distance >= length) into.copyWithin(to, to - distance, to - distance + length);
    // It repeats what it is about to write.
    else for (let index = 0; index < length; index++) into[to + index] = into[to + index - distance]!;
    to += length;
  }
  return -1;
}

/** Behind a LONG_LENGTH: bytes up to the first below 255, added up. */
function longLength(block: Uint8Array, start: number): { length: number; end: number } {
  let length = 0;
  let at = start;
  for (; block[at] === 255; at++) length += 255;
  return { length: length + (block[at] ?? 0), end: at + 1 };
}
