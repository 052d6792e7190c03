import { describe, expect, it } from 'vitest';
import { PageMemory } from '../../lib/parquet/pageMemory.ts';

/** Of what pages may hold. */
const WIDEST_BITS = 25;

/** Runs of equal values, and groups of eight, as the format says: least significant bits first. */
function encode(
  parts: readonly { readonly run?: number; readonly values: readonly number[] }[],
  bitWidth: number,
) {
  const bytes: number[] = [];
  const writeHead = (head: number) => {
    let rest = head;
    for (; rest >= 128; rest >>>= 7) bytes.push((rest & 127) | 128);
    bytes.push(rest);
  };
  for (const { run, values } of parts) {
    if (run !== undefined) {
      writeHead(run << 1);
      for (let shift = 0; shift < bitWidth; shift += 8) bytes.push((values[0]! >>> shift) & 255);
      continue;
    }
    const groups = Math.ceil(values.length / 8);
    writeHead((groups << 1) | 1);
    const bits = Array.from({ length: 8 * groups }, (_, index) => values[index] ?? 0).flatMap((value) =>
      Array.from({ length: bitWidth }, (_, bit) => (value >>> bit) & 1),
    );
    for (let at = 0; at < bits.length; at += 8) {
      bytes.push(bits.slice(at, at + 8).reduce((byte, bit, index) => byte | (bit << index), 0));
    }
  }
  return Uint8Array.from(bytes);
}

/** A head of 33 bits, 2^32 + 18, and its value. */
const LONGER_THAN_ANY = Uint8Array.of(128 | 18, 128, 128, 128, 16, 1);

/** Any 32-bit number from a seed. */
const scrambled = (seed: number) => Math.imul(seed ^ (seed >>> 15), 0x2c1b3c6d) >>> 3;

/** What the kernel makes of `bytes[start, end)`, among bytes that must not be read and numbers that must not be written. */
function decoded(
  bytes: Uint8Array,
  bitWidth: number,
  count: number,
  { start = 0, end = bytes.length, base = 0 } = {},
): { readonly bits: number; readonly values: number[] } {
  const room = bytes.length + 4 * (count + 2) + 64;
  return PageMemory.use(room, (pages) => {
    const from = pages.place(bytes.length);
    const to = pages.place(4 * (count + 2));
    pages.bytes(from, bytes.length + 16).fill(255);
    pages.bytes(from, bytes.length).set(bytes);
    pages.integers(to, count + 2).fill(-7);
    const { decodeHybrid } = pages.kernels;
    const bits = decodeHybrid(from + start, from + end, bitWidth, to + 4, count, base);
    return { bits, values: [...pages.integers(to, count + 2)] };
  });
}

describe('decodeHybrid', () => {
  const widths = Array.from({ length: WIDEST_BITS + 1 }, (_, bitWidth) => bitWidth);

  it.each(widths)('decodes runs and packed groups of %i bits, up to the last byte there is', (bitWidth) => {
    const valueAt = (index: number) => scrambled(index + 77 * bitWidth) % 2 ** bitWidth;
    const parts = [
      { values: Array.from({ length: 40 }, (_, index) => valueAt(index)) },
      { run: 100, values: [valueAt(3)] },
      { run: 3, values: [2 ** bitWidth - 1] },
      { values: Array.from({ length: 13 }, (_, index) => valueAt(index + 50)) },
    ];
    const expected = parts.flatMap(({ run, values }) => (run ? Array(run).fill(values[0]) : values));
    const bytes = encode(parts, bitWidth);
    expect(decoded(bytes, bitWidth, expected.length)).toEqual({
      bits: 2 ** bitWidth - 1,
      values: [-7, ...expected, -7],
    });
    const base = 3_000_001;
    expect(decoded(bytes, bitWidth, expected.length, { base })).toEqual({
      bits: 2 ** bitWidth - 1,
      values: [-7, ...expected.map((value) => value + base), -7],
    });
  });

  it('begins and ends within other bytes, and reads no more values than asked for', () => {
    const bytes = encode([{ values: [1, 2, 3, 4, 5, 6, 7, 0] }, { run: 9, values: [5] }], 3);
    const all = Uint8Array.of(255, ...bytes, 255, 255, 255, 255, 255, 255, 255, 255);
    expect(decoded(all, 3, 10, { start: 1, end: 1 + bytes.length })).toEqual({
      bits: 7,
      values: [-7, 1, 2, 3, 4, 5, 6, 7, 0, 5, 5, -7],
    });
  });

  it.each([
    ['too few values', encode([{ run: 9, values: [5] }], 3), 10],
    ['a group that is cut off', encode([{ values: [1, 2, 3, 4, 5, 6, 7, 0] }], 3).subarray(0, 3), 8],
    ['a run without its value', encode([{ run: 9, values: [5] }], 3).subarray(0, 1), 9],
    ['a run of no values', Uint8Array.of(0, 1, 0, 1), 1],
    ['a head that never ends', Uint8Array.of(255, 255, 255, 255, 255, 255, 1), 1],
    ['a run of 2^31 + 9 values, of whose head 32 bits say 9', LONGER_THAN_ANY, 9],
    ['no bytes', new Uint8Array(0), 1],
  ])('says that there are %s', (_, bytes, count) => {
    const { bits, values } = decoded(bytes, 3, count);
    expect([bits, values.at(-1)]).toEqual([-1, -7]);
  });
});

it('onlyRun gives the value of a run that covers all, and of nothing else', () => {
  const runValue = (bytes: Uint8Array, count: number) =>
    PageMemory.use(bytes.length, (pages) => {
      const from = pages.place(bytes.length);
      pages.bytes(from, bytes.length + 8).fill(1);
      pages.bytes(from, bytes.length).set(bytes);
      return pages.kernels.onlyRun(from, from + bytes.length, count);
    });
  expect(runValue(encode([{ run: 300, values: [1] }], 1), 300)).toBe(1);
  expect(runValue(encode([{ run: 300, values: [0] }], 1), 299)).toBe(0);
  expect(runValue(encode([{ run: 300, values: [1] }], 1), 301)).toBe(-1);
  expect(runValue(encode([{ values: [1, 1, 1, 1, 1, 1, 1, 1] }], 1), 8)).toBe(-1);
  expect(runValue(LONGER_THAN_ANY, 9)).toBe(-1);
  expect(runValue(new Uint8Array(0), 1)).toBe(-1);
});
