/** The widest value that four bytes hold wherever in a byte it begins. */
export const WIDEST_BITS = 25;

/** The largest fifth byte of a run's head, of 32 bits: no run is longer than a page may be. */
const LAST_OF_32_BITS = 15;

/** Values from which on a run is filled by a call. */
const LONG_RUN = 64;

/** Bytes with a view of the same memory, in which positions are the same: typed arrays can't read across their grid. */
export interface ViewedBytes {
  readonly bytes: Uint8Array;
  /** Begins with `bytes` and may reach beyond them. */
  readonly view: DataView;
}

export function viewed(bytes: Uint8Array): ViewedBytes {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset) };
}

/**
 * Decodes values in Parquet's hybrid of runs and bit-packed groups of eight, which levels and dictionary indices are written in
 * (https://parquet.apache.org/docs/file-format/data-pages/encodings/). Writers put thousands of short runs into a page.
 * @param start first byte; the values end before `end`, which is within the bytes
 * @param bitWidth 0 to WIDEST_BITS
 * @param count values to write to `into` from `at` on
 * @returns all bits that any of the values has, so that none is greater; -1 when the bytes don't hold so many
 */
export function decodeHybrid(
  { bytes, view }: ViewedBytes,
  start: number,
  end: number,
  bitWidth: number,
  into: Int32Array,
  at: number,
  count: number,
): number {
  const valueBytes = (bitWidth + 7) >> 3;
  const mask = (1 << bitWidth) - 1;
  // Of a group's values, the byte that each begins in, and the bit of that.
  const byteOf1 = bitWidth >> 3;
  const byteOf2 = (2 * bitWidth) >> 3;
  const byteOf3 = (3 * bitWidth) >> 3;
  const byteOf4 = (4 * bitWidth) >> 3;
  const byteOf5 = (5 * bitWidth) >> 3;
  const byteOf6 = (6 * bitWidth) >> 3;
  const byteOf7 = (7 * bitWidth) >> 3;
  const bitOf1 = bitWidth & 7;
  const bitOf2 = (2 * bitWidth) & 7;
  const bitOf3 = (3 * bitWidth) & 7;
  const bitOf4 = (4 * bitWidth) & 7;
  const bitOf5 = (5 * bitWidth) & 7;
  const bitOf6 = (6 * bitWidth) & 7;
  const bitOf7 = (7 * bitWidth) & 7;
  // The last value of a group is read with three bytes more than it may have.
  const readable = view.byteLength - bitWidth - 3;
  const until = at + count;
  let bits = 0;
  let to = at;
  let position = start;
  while (to < until) {
    let head = 0;
    for (let shift = 0; ; shift += 7) {
      if (position >= end) return -1;
      const byte = bytes[position++]!;
      if (shift === 28 && byte > LAST_OF_32_BITS) return -1;
      head |= (byte & 127) << shift;
      if (byte < 128) break;
    }
    const size = head >>> 1;
    if (size === 0) return -1;
    if ((head & 1) === 0) {
      if (position + valueBytes > end) return -1;
      let value = 0;
      for (let index = 0; index < valueBytes; index++) value |= bytes[position++]! << (8 * index);
      bits |= value;
      const runEnd = size < until - to ? to + size : until;
      if (size < LONG_RUN) while (to < runEnd) into[to++] = value;
      else into.fill(value, to, runEnd);
      to = runEnd;
      continue;
    }
    const left = until - to;
    const values = size <= left >> 3 ? 8 * size : left;
    if (position + ((values * bitWidth + 7) >>> 3) > end) return -1;
    const next = position + size * bitWidth;
    const groupsEnd = to + (values & ~7);
    const valuesEnd = to + values;
    if (bitWidth <= 8) {
      const half = (4 * bitWidth) >> 3;
      const halfBit = (4 * bitWidth) & 7;
      for (; to < groupsEnd && position < readable; to += 8, position += bitWidth) {
        const first = view.getInt32(position, true);
        const second = view.getInt32(position + half, true) >>> halfBit;
        const a = first & mask;
        const b = (first >>> bitWidth) & mask;
        const c = (first >>> (2 * bitWidth)) & mask;
        const d = (first >>> (3 * bitWidth)) & mask;
        const e = second & mask;
        const f = (second >>> bitWidth) & mask;
        const g = (second >>> (2 * bitWidth)) & mask;
        const h = (second >>> (3 * bitWidth)) & mask;
        into[to] = a;
        into[to + 1] = b;
        into[to + 2] = c;
        into[to + 3] = d;
        into[to + 4] = e;
        into[to + 5] = f;
        into[to + 6] = g;
        into[to + 7] = h;
        bits |= a | b | c | d | e | f | g | h;
      }
    } else {
      for (; to < groupsEnd && position < readable; to += 8, position += bitWidth) {
        const a = view.getInt32(position, true) & mask;
        const b = (view.getInt32(position + byteOf1, true) >>> bitOf1) & mask;
        const c = (view.getInt32(position + byteOf2, true) >>> bitOf2) & mask;
        const d = (view.getInt32(position + byteOf3, true) >>> bitOf3) & mask;
        const e = (view.getInt32(position + byteOf4, true) >>> bitOf4) & mask;
        const f = (view.getInt32(position + byteOf5, true) >>> bitOf5) & mask;
        const g = (view.getInt32(position + byteOf6, true) >>> bitOf6) & mask;
        const h = (view.getInt32(position + byteOf7, true) >>> bitOf7) & mask;
        into[to] = a;
        into[to + 1] = b;
        into[to + 2] = c;
        into[to + 3] = d;
        into[to + 4] = e;
        into[to + 5] = f;
        into[to + 6] = g;
        into[to + 7] = h;
        bits |= a | b | c | d | e | f | g | h;
      }
    }
    for (let bit = 0; to < valuesEnd; to++, bit += bitWidth) {
      let value = 0;
      for (let from = bit >> 3, shift = -(bit & 7); shift < bitWidth; from++, shift += 8) {
        const byte = bytes[position + from]!;
        value |= shift < 0 ? byte >> -shift : byte << shift;
      }
      value &= mask;
      into[to] = value;
      bits |= value;
    }
    position = next;
  }
  return bits;
}

/** The value of a run that covers so many values at least, as levels without nulls are; -1 where there is none. */
export function onlyRun({ bytes }: ViewedBytes, start: number, end: number, count: number): number {
  let head = 0;
  let position = start;
  for (let shift = 0; ; shift += 7) {
    if (position >= end) return -1;
    const byte = bytes[position++]!;
    if (shift === 28 && byte > LAST_OF_32_BITS) return -1;
    head |= (byte & 127) << shift;
    if (byte < 128) break;
  }
  const isRun = (head & 1) === 0 && head >>> 1 >= count && position < end;
  return isRun ? bytes[position]! : -1;
}
