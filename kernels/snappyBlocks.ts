/*
 * Snappy's blocks, a part of kernels/pageKernels.ts (https://github.com/google/snappy/blob/main/format_description.txt). Up to
 * SLACK_BYTES of lib/parquet/pageMemory.ts are read behind the bytes that are given.
 */

import { behindHead, readHead } from './hybridRuns';

/** What is copied at once where so many bytes more have room. */
const STEP_BYTES: usize = 16;
/** A literal that is longer is worth a call. */
const LONG_BYTES: usize = 256;
/** Of a tag: what it is, a literal or one of three kinds of copies. */
const KIND: usize = 3;
const LITERAL: usize = 0;
const NEAR_COPY: usize = 1;
const FAR_COPY: usize = 2;
/** The longest literal whose length, less one, is in its tag; behind that stands how many bytes the length takes. */
const LONGEST_IN_TAG: usize = 59;

/** Unpacks a block that says, and that holds, so many bytes. @returns false when it doesn't */
export function unpackSnappy(to: usize, toBytes: usize, from: usize, fromBytes: usize): bool {
  const end = from + fromBytes;
  const start = to;
  const until = to + toBytes;
  const says = readHead(from, end);
  if (behindHead === 0 || says !== toBytes) return false;
  let at = behindHead;
  while (at < end) {
    const tag: usize = load<u8>(at++);
    const kind = tag & KIND;
    // Less one, so that none overflows.
    let length = tag >> 2;
    if (kind === LITERAL) {
      if (length > LONGEST_IN_TAG) {
        const lengthBytes = length - LONGEST_IN_TAG;
        if (lengthBytes > end - at) return false;
        length = load<usize>(at) & (<usize>-1 >>> (32 - 8 * lengthBytes));
        at += lengthBytes;
      }
      if (length >= end - at || length >= until - to) return false;
      to = copyLiteral(to, at, length + 1, until);
      at += length + 1;
      continue;
    }
    let offset: usize;
    if (kind === NEAR_COPY) {
      if (at === end) return false;
      length = 3 + (length & 7);
      offset = ((tag >> 5) << 8) | <usize>load<u8>(at++);
    } else {
      const offsetBytes: usize = kind === FAR_COPY ? 2 : 4;
      if (offsetBytes > end - at) return false;
      offset = kind === FAR_COPY ? <usize>load<u16>(at) : load<usize>(at);
      at += offsetBytes;
    }
    // None is zero bytes back, either.
    if (offset - 1 >= to - start || length >= until - to) return false;
    to = copyBack(to, offset, length + 1, until);
  }
  return to === until;
}

function copyLiteral(to: usize, from: usize, length: usize, until: usize): usize {
  const end = to + length;
  if (length > LONG_BYTES || until - end < STEP_BYTES) {
    memory.copy(to, from, length);
    return end;
  }
  for (; to < end; to += STEP_BYTES, from += STEP_BYTES) v128.store(to, v128.load(from));
  return end;
}

/** What is copied may reach into what becomes of it: a pattern then repeats. */
function copyBack(to: usize, offset: usize, length: usize, until: usize): usize {
  const end = to + length;
  let from = to - offset;
  if (until - end < STEP_BYTES) {
    for (; to < end; to++, from++) store<u8>(to, load<u8>(from));
    return end;
  }
  // Each step doubles what is there of the pattern.
  for (; to < end && to - from < STEP_BYTES; to += to - from) v128.store(to, v128.load(from));
  for (; to < end; to += STEP_BYTES, from += STEP_BYTES) v128.store(to, v128.load(from));
  return end;
}
