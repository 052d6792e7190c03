import { expect, test } from 'vitest';
import { SharedMemory } from '../../lib/parquet/columnMemory.ts';

test.each([
  [256, Uint8Array],
  [257, Uint16Array],
  [65_536, Uint16Array],
  [65_537, Int32Array],
])('shared indices of %i values are as wide as the last one needs', (size, Indices) => {
  const indices = new SharedMemory().takeIndices(3, size);
  indices.set([0, size - 1, 1]);
  expect(indices).toEqual(Indices.of(0, size - 1, 1));
  expect(indices.buffer).toBeInstanceOf(SharedArrayBuffer);
});

test('spare memory is taken once each, the smallest that is large enough and less than twice as large as need be', () => {
  const spare = [400_000, 100_000, 200_000, 150_000].map((sizeBytes) => new SharedArrayBuffer(sizeBytes));
  const [largest, smallest, large, middle] = spare;
  const memory = new SharedMemory(spare);
  expect(memory.takeBytes(120_000).buffer).toBe(middle);
  expect(memory.takeIntegers(30_000).buffer).toBe(large);
  expect(memory.takeIndices(30_000, 1000).buffer).not.toBe(smallest);
  // Of 400,000 it would be less than half.
  expect(spare).not.toContain(memory.takeBytes(199_999).buffer);
  expect(memory.takeIndices(50_000, 1000).buffer).toBe(smallest);
  expect(memory.takeBytes(200_000).buffer).toBe(largest);
  expect(spare).not.toContain(memory.takeBytes(200_000).buffer);
});

test('arrays have the length that was asked for, whatever memory they get', () => {
  const memory = new SharedMemory([new SharedArrayBuffer(100_001), new SharedArrayBuffer(300_003)]);
  expect([memory.takeBytes(99_999).length, memory.takeIntegers(70_000).length]).toEqual([99_999, 70_000]);
  expect([memory.takeIndices(80_000, 300).length, memory.takeBytes(0).length]).toEqual([80_000, 0]);
});
