import { expect, test } from 'vitest';
import { SHARED_MEMORY } from '../../lib/parquet/columnMemory.ts';

test.each([
  [256, Uint8Array],
  [257, Uint16Array],
  [65_536, Uint16Array],
  [65_537, Int32Array],
])('shared indices of %i values are as wide as the last one needs', (size, Indices) => {
  const indices = SHARED_MEMORY.takeIndices(3, size);
  indices.set([0, size - 1, 1]);
  expect(indices).toEqual(Indices.of(0, size - 1, 1));
  expect(indices.buffer).toBeInstanceOf(SharedArrayBuffer);
});
