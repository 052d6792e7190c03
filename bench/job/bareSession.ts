// The limit of scoring: onnxruntime-node on tensors that are ready, and nothing else.
// bareSession.mjs MODEL.onnx FEEDS ROWS THREADS prints what running them took: {"cpuSeconds", "wallSeconds", "rows"}.
import { readFileSync } from 'node:fs';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { createSession } from '../../lib/onnx/session.ts';
import { readFeeds } from './feedsFile.ts';

/** What bareSession prints. */
export interface BareResult {
  /** Of all threads. */
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
  readonly rows: number;
}

interface Work {
  readonly model: string;
  readonly feeds: string;
  readonly rows: number;
}

const WARM_RUNS = 20;

if (isMainThread) await measure();
else await run(workerData as Work);

async function measure(): Promise<void> {
  const [model, feeds, rows, threads] = process.argv.slice(2) as [string, string, string, string];
  const work: Work = { model, feeds, rows: Number(rows) / Number(threads) };
  const workers = Array.from(
    { length: Number(threads) },
    () => new Worker(new URL(import.meta.url), { workerData: work }),
  );
  const reported = () =>
    Promise.all(workers.map((worker) => new Promise<number>((resolve) => worker.once('message', resolve))));
  await reported();
  const cpu = process.cpuUsage();
  const startMillis = performance.now();
  const scored = reported();
  for (const worker of workers) worker.postMessage('start');
  const counts = await scored;
  const { user, system } = process.cpuUsage(cpu);
  const result: BareResult = {
    cpuSeconds: (user + system) / 1e6,
    wallSeconds: (performance.now() - startMillis) / 1000,
    rows: counts.reduce((sum, count) => sum + count, 0),
  };
  process.stdout.write(`${JSON.stringify(result)}\n`);
  process.exit(0);
}

async function run({ model, feeds, rows }: Work): Promise<void> {
  const batches = readFeeds(feeds);
  const session = await createSession(readFileSync(model));
  for (let i = 0; i < WARM_RUNS; i++) await session.run(batches[i % batches.length]!);
  parentPort!.once('message', async () => {
    let done = 0;
    for (let i = 0; done < rows; i++) {
      const batch = batches[i % batches.length]!;
      await session.run(batch);
      done += Object.values(batch)[0]!.dims[0]!;
    }
    parentPort!.postMessage(done);
  });
  parentPort!.postMessage(0);
}
