/*
 * Parquet's hybrid of runs and bit-packed groups, a part of kernels/pageKernels.ts. Up to SLACK_BYTES of lib/parquet/pageMemory.ts are read
 * behind the bytes that are given.
 */

/** The widest value that four bytes hold wherever in a byte it begins. */
export const WIDEST_BITS: i32 = 25;
/** The largest fifth byte of a run's head, of 32 bits: no run is longer than a page may be. */
const LAST_OF_32_BITS: usize = 15;

/** Whether all decoded values are below a bound. @param bits as decodeHybrid returns them @param base that has been added to them */
export function areBelow(bound: i32, bits: i32, at: usize, count: usize, base: usize): bool {
  if (bits < bound) return bits >= 0;
  for (const end = at + 4 * count; at < end; at += 4) if (load<i32>(at) - <i32>base >= bound) return false;
  return true;
}

/** Where the head that was read last ends; 0 when it ends too early, or has more than 32 bits. */
export let behindHead: usize = 0;

/** The head of a run or of packed groups, of seven bits a byte. */
export function readHead(at: usize, end: usize): usize {
  let head: usize = 0;
  behindHead = 0;
  for (let shift = 0; at < end; shift += 7) {
    const byte: usize = load<u8>(at++);
    if (shift === 28 && byte > LAST_OF_32_BITS) return 0;
    head |= (byte & 127) << shift;
    if (byte < 128) {
      behindHead = at;
      return head;
    }
  }
  return 0;
}

/** The value of a run that covers so many values at least, as levels without nulls are; -1 where there is none. */
export function onlyRun(at: usize, end: usize, count: usize): i32 {
  const head = readHead(at, end);
  const isRun = behindHead !== 0 && (head & 1) === 0 && head >> 1 >= count && behindHead < end;
  return isRun ? <i32>load<u8>(behindHead) : -1;
}

/**
 * Decodes values in Parquet's hybrid of runs and bit-packed groups of eight, which levels and dictionary indices are written in
 * (https://parquet.apache.org/docs/file-format/data-pages/encodings/). Writers put thousands of short runs into a page.
 * @param bitWidth 0 to WIDEST_BITS
 * @param count values to write
 * @param base that is added to each
 * @returns all bits that any of the values has, so that none is greater; -1 when the bytes don't hold so many
 */
export function decodeHybrid(
  at: usize,
  end: usize,
  bitWidth: i32,
  to: usize,
  count: usize,
  base: usize,
): i32 {
  const runBytes: usize = (bitWidth + 7) >> 3;
  const mask = ((<usize>1) << bitWidth) - 1;
  const until = to + 4 * count;
  let bits: usize = 0;
  while (to < until) {
    const head = readHead(at, end);
    if (behindHead === 0) return -1;
    at = behindHead;
    const size = head >> 1;
    if (size === 0) return -1;
    const left = <usize>(until - to) >> 2;
    if ((head & 1) === 0) {
      if (runBytes > end - at) return -1;
      let value: usize = 0;
      for (let index: usize = 0; index < runBytes; index++) value |= (<usize>load<u8>(at++)) << (8 * index);
      bits |= value;
      to = fillRun(to, value + base, size < left ? size : left);
      continue;
    }
    const values: usize = size <= left >> 3 ? 8 * size : left;
    if ((<u64>values * bitWidth + 7) >> 3 > <u64>(end - at)) return -1;
    bits |= unpackGroups(at, bitWidth, mask, to, values, base);
    to += 4 * values;
    // Beyond the end only behind the last group, where nothing follows.
    at += size * bitWidth;
  }
  return <i32>bits;
}

function fillRun(to: usize, value: usize, count: usize): usize {
  const end = to + 4 * count;
  const four = i32x4.splat(<i32>value);
  for (; to + 16 <= end; to += 16) v128.store(to, four);
  for (; to < end; to += 4) store<usize>(to, value);
  return end;
}

/** @returns all bits that any of the values has */
function unpackGroups(at: usize, bitWidth: i32, mask: usize, to: usize, count: usize, base: usize): usize {
  const end = to + 4 * count;
  const groupsEnd = to + 4 * (count & ~7);
  let bits: usize = 0;
  if (bitWidth <= 8) {
    for (; to < groupsEnd; to += 32, at += bitWidth) {
      let group = load<u64>(at);
      for (let index: usize = 0; index < 32; index += 4) {
        const value = <usize>group & mask;
        group >>= bitWidth;
        bits |= value;
        store<usize>(to + index, value + base);
      }
    }
  } else {
    for (; to < groupsEnd; to += 32, at += bitWidth) {
      for (let index: i32 = 0; index < 8; index++) {
        const bit = index * bitWidth;
        const value = (load<usize>(at + (bit >> 3)) >> (bit & 7)) & mask;
        bits |= value;
        store<usize>(to + 4 * index, value + base);
      }
    }
  }
  for (let bit = 0; to < end; to += 4, bit += bitWidth) {
    const value = (load<usize>(at + (bit >> 3)) >> (bit & 7)) & mask;
    bits |= value;
    store<usize>(to, value + base);
  }
  return bits;
}
