import { vi } from 'vitest';

// The start of a scoring thread, most of a second of loading code and runtimes, is by far the greatest part of a run on some hundred
// rows, so tests start theirs once a file: a thread that is told to end by a pool says that it has, and serves the next pool with the
// next model, as a spare thread does (spareThread.ts). Files about the threads themselves say `vi.unmock('node:worker_threads')`.
vi.mock('node:worker_threads', async (importOriginal) => {
  const { reusing } = await import('./keptThread.ts');
  const real = await importOriginal<typeof import('node:worker_threads')>();
  return { ...real, Worker: reusing(real.Worker) };
});
