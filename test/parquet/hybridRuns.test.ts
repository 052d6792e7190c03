import { describe, expect, it } from 'vitest';
import { decodeHybrid, onlyRun, viewed, WIDEST_BITS } from '../../lib/parquet/hybridRuns.ts';

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
    const into = new Int32Array(expected.length + 2).fill(-7);
    const bits = decodeHybrid(viewed(bytes), 0, bytes.length, bitWidth, into, 1, expected.length);
    expect([...into]).toEqual([-7, ...expected, -7]);
    expect(bits).toBe(2 ** bitWidth - 1);
  });

  it('begins and ends within other bytes, and reads no more values than asked for', () => {
    const bytes = encode([{ values: [1, 2, 3, 4, 5, 6, 7, 0] }, { run: 9, values: [5] }], 3);
    const all = Uint8Array.of(255, ...bytes, 255, 255, 255, 255, 255, 255, 255, 255);
    const into = new Int32Array(10);
    expect(decodeHybrid(viewed(all), 1, 1 + bytes.length, 3, into, 0, 10)).toBe(7);
    expect([...into]).toEqual([1, 2, 3, 4, 5, 6, 7, 0, 5, 5]);
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
    expect(decodeHybrid(viewed(bytes), 0, bytes.length, 3, new Int32Array(16), 0, count)).toBe(-1);
  });
});

it('onlyRun gives the value of a run that covers all, and of nothing else', () => {
  const runValue = (bytes: Uint8Array, count: number) => onlyRun(viewed(bytes), 0, bytes.length, count);
  expect(runValue(encode([{ run: 300, values: [1] }], 1), 300)).toBe(1);
  expect(runValue(encode([{ run: 300, values: [0] }], 1), 299)).toBe(0);
  expect(runValue(encode([{ run: 300, values: [1] }], 1), 301)).toBe(-1);
  expect(runValue(encode([{ values: [1, 1, 1, 1, 1, 1, 1, 1] }], 1), 8)).toBe(-1);
  expect(runValue(LONGER_THAN_ANY, 9)).toBe(-1);
  expect(runValue(new Uint8Array(0), 1)).toBe(-1);
});
