import { Ncs4cvrError } from '../base/errors.ts';
import { MODEL_FILE } from '../bundle/bundleManifest.ts';

/** Sizes of a bundle's files by their paths, as its manifest has them. */
export type BundleFileSizes = Readonly<Record<string, { readonly sizeBytes: number } | undefined>>;

const MEGABYTE = 2 ** 20;
/** Node, onnxruntime's library, the SDK and the code. */
const PROCESS_BYTES = 280 * MEGABYTE;
/** What a thread holds besides its model: its heap, the reader's memory, and the columns of a row group of usual size. */
const THREAD_BYTES = 150 * MEGABYTE;
/** Of the graph's file per thread: the bytes that are parsed, the session's weights, and what it packs of them for its kernels. */
const SESSION_COPIES = 3;
/** Of what all threads share (embeddings, vocabularies): once, and what reading it takes besides. */
const SHARED_COPIES = 1.1;

/**
 * Bytes of memory that scoring takes, as far as the sizes of a bundle's files tell: an upper bound for row groups of up to a
 * hundred thousand rows. `ncs4cvr tune` measures.
 * @param threads that score
 */
export function modelMemoryBytes(files: BundleFileSizes, threads: number): number {
  const modelBytes = files[MODEL_FILE]?.sizeBytes ?? 0;
  const allBytes = Object.values(files).reduce((sum, file) => sum + (file?.sizeBytes ?? 0), 0);
  const ownBytes = THREAD_BYTES + SESSION_COPIES * modelBytes;
  // One session more checks the golden rows while the bundle is loaded, on the thread that loads it.
  return (
    PROCESS_BYTES + SHARED_COPIES * (allBytes - modelBytes) + SESSION_COPIES * modelBytes + threads * ownBytes
  );
}

/** Lambda gives a vCPU for every 1,769 MB. */
export const LAMBDA_MEGABYTES_PER_VCPU = 1769;

/** The model's memory in megabytes in a score function, which has a thread for each vCPU or part of one. */
export function functionMegabytes(files: BundleFileSizes, memoryMegabytes: number): number {
  const threads = Math.max(1, Math.ceil(memoryMegabytes / LAMBDA_MEGABYTES_PER_VCPU));
  return Math.ceil(modelMemoryBytes(files, threads) / MEGABYTE);
}

/**
 * Refuses a model that a score function couldn't hold: every unit would fail, and be tried again.
 * @param memoryMegabytes of the function
 * @throws Ncs4cvrError PLAN_MODEL_TOO_LARGE
 */
export function refuseLargeModel(file: string, files: BundleFileSizes, memoryMegabytes: number): void {
  const needed = functionMegabytes(files, memoryMegabytes);
  if (needed <= memoryMegabytes) return;
  throw new Ncs4cvrError('PLAN_MODEL_TOO_LARGE', "the model doesn't fit into a score function's memory", {
    file,
    expected: `at most ${memoryMegabytes} MB`,
    found: `about ${needed} MB`,
  });
}
