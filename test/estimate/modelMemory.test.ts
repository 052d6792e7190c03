import { expect, it } from 'vitest';
import { functionMegabytes, modelMemoryBytes, refuseLargeModel } from '../../lib/estimate/modelMemory.ts';

const MEGABYTE = 2 ** 20;
const SMALL = { 'model.onnx': { sizeBytes: 2 * MEGABYTE }, 'golden.arrow': { sizeBytes: 100 } };
const withTable = (megabytes: number) => ({
  ...SMALL,
  'embeddings/user.safetensors': { sizeBytes: megabytes * MEGABYTE },
});

it('what threads share counts once, however many there are', () => {
  const grown = (threads: number) =>
    modelMemoryBytes(withTable(1000), threads) - modelMemoryBytes(SMALL, threads);
  expect(grown(4)).toBe(grown(1));
  expect(grown(1) / MEGABYTE).toBeGreaterThan(1000);
  expect(grown(1) / MEGABYTE).toBeLessThan(1150);
});

it('a thread more takes its own session, and the memory that every thread has', () => {
  const perThread = modelMemoryBytes(SMALL, 3) - modelMemoryBytes(SMALL, 2);
  expect(perThread).toBe(modelMemoryBytes(SMALL, 2) - modelMemoryBytes(SMALL, 1));
  expect(perThread).toBeGreaterThan(3 * 2 * MEGABYTE);
});

it('a function with more memory has more threads: one for each 1,769 MB that it has begun', () => {
  expect(functionMegabytes(SMALL, 1770)).toBeGreaterThan(functionMegabytes(SMALL, 1769));
  expect(functionMegabytes(SMALL, 1769)).toBe(functionMegabytes(SMALL, 128));
});

it('refuses the model that is a megabyte too large, and says what it needs', () => {
  const fits = functionMegabytes(SMALL, 1000);
  expect(() => refuseLargeModel('models/m', SMALL, fits)).not.toThrow();
  expect(() => refuseLargeModel('models/m', SMALL, fits - 1)).toThrow(
    `PLAN_MODEL_TOO_LARGE: models/m: the model doesn't fit into a score function's memory (expected at most ${fits - 1} MB, found about ${fits} MB)`,
  );
});
