import { describe, expect, it } from 'vitest';
import { ReusedMemory } from '../../lib/parquet/reusedMemory.ts';

const MEGABYTE = 1024 * 1024;

/** What a request takes: large arrays between small ones. @returns the buffers they lie in */
function takeRequest(memory: ReusedMemory, largeBytes: readonly number[]): Set<ArrayBufferLike> {
  memory.reuse();
  const buffers = new Set<ArrayBufferLike>();
  for (const sizeBytes of largeBytes) {
    buffers.add(memory.takeBytes(sizeBytes).buffer);
    for (let column = 0; column < 40; column++) buffers.add(memory.takeIntegers(32_768).buffer);
  }
  return buffers;
}

function overlap(one: Uint8Array, other: Uint8Array): boolean {
  const isBefore = one.byteOffset + one.length <= other.byteOffset;
  const isBehind = other.byteOffset + other.length <= one.byteOffset;
  return one.buffer === other.buffer && !isBefore && !isBehind;
}

describe('ReusedMemory', () => {
  it('makes no new memory for requests that take a little more or less than those before', () => {
    const memory = new ReusedMemory();
    const first = takeRequest(memory, [5_230_121, 4_729_812, 3_000_000]);
    for (const more of [2_500, -70_000, 5_000, 7_600, -1]) {
      const next = takeRequest(memory, [5_230_121 + more, 4_729_812 + more, 3_000_000 + more]);
      expect([...next].filter((buffer) => !first.has(buffer))).toHaveLength(0);
    }
  });

  it('makes no new memory for large arrays in another order', () => {
    const memory = new ReusedMemory();
    const sizes = [9, 2, 5, 3, 7].map((size) => size * MEGABYTE);
    const first = takeRequest(memory, sizes);
    const next = takeRequest(memory, [...sizes].reverse());
    expect([...next].filter((buffer) => !first.has(buffer))).toHaveLength(0);
  });

  it('gives no bytes to two arrays of one request', () => {
    const memory = new ReusedMemory();
    for (let request = 0; request < 3; request++) {
      memory.reuse();
      const sizes = Array.from(
        { length: 60 },
        (_, index) => 1 + ((index * 7919 + request * 13) % 37) * 60_000,
      );
      const arrays = sizes.map((size) => memory.takeBytes(size));
      const overlapping = arrays.filter((array) =>
        arrays.some((other) => other !== array && overlap(array, other)),
      );
      expect(overlapping).toHaveLength(0);
    }
  });

  it('gives what was borrowed, large and small, and whatever was taken meanwhile to the next who asks', () => {
    const memory = new ReusedMemory();
    for (const borrowedBytes of [1000, 3 * MEGABYTE]) {
      const before = memory.takeBytes(borrowedBytes).fill(1);
      const places: string[] = [];
      for (let turn = 0; turn < 2; turn++) {
        memory.borrowBytes(borrowedBytes, (borrowed) => {
          const meanwhile = memory.takeBytes(2 * MEGABYTE);
          expect(meanwhile.buffer === borrowed.buffer).toBe(false);
          borrowed.fill(2);
          places.push(`${borrowed.byteOffset} of ${borrowed.buffer.byteLength}`);
        });
      }
      expect(places[1]).toBe(places[0]);
      expect(before.every((byte) => byte === 1)).toBe(true);
    }
  });

  it('gives borrowed memory back when its use fails', () => {
    const memory = new ReusedMemory();
    let borrowedBuffer: ArrayBufferLike | undefined;
    const failing = () =>
      memory.borrowBytes(2 * MEGABYTE, ({ buffer }) => {
        borrowedBuffer = buffer;
        throw new Error('use failed');
      });
    expect(failing).toThrow('use failed');
    expect(memory.takeBytes(2 * MEGABYTE).buffer === borrowedBuffer).toBe(true);
  });

  it('keeps at most 64 MB from one request to the next, those that were in use first', () => {
    const memory = new ReusedMemory();
    memory.takeBytes(20 * MEGABYTE);
    memory.takeBytes(30 * MEGABYTE);
    memory.reuse();
    const { buffer } = memory.takeBytes(44 * MEGABYTE);
    memory.reuse();
    expect(memory.takeBytes(44 * MEGABYTE).buffer === buffer).toBe(true);
    memory.reuse();
    const kept = [20, 30].map((size) => memory.takeBytes(size * MEGABYTE).buffer);
    expect(kept.map(({ byteLength }) => byteLength / MEGABYTE)).toEqual([20, 44]);
  });
});
