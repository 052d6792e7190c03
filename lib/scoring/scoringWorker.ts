import { parentPort, workerData } from 'node:worker_threads';
import { serialiseError } from '../base/workerThread.ts';
import { isDecoderPoisoned } from '../parquet/wasmDecoder.ts';
import { unpackReads } from './packedReads.ts';
import { RequestScorer } from './requestScorer.ts';
import type { WorkerReply, WorkerRequest, WorkerSetup } from './scoringProtocol.ts';

// Entry point of a scoring thread. Requests come one at a time; a null ends the thread, never `terminate()`:
// ending a thread inside a session run aborts the whole process. A thread that was started without a setup is sent it first.
const port = parentPort;
if (port === null) throw new Error('scoringWorker.ts runs as a worker thread only');

let setup = workerData as WorkerSetup | undefined;
let scorer: Promise<RequestScorer> | undefined;
let running: Promise<void> = Promise.resolve();

port.on('message', (message: WorkerSetup | WorkerRequest | null) => {
  if (message !== null && 'contract' in message) {
    setup = message;
    running = running.then(() => {
      scorer = createScorer();
    });
    return;
  }
  running = message === null ? running.then(stop) : running.then(() => answer(message));
});

// Whatever it was, somebody waits for its answer: this thread's end tells the pool, silence wouldn't.
port.on('messageerror', (error) => {
  throw error;
});

async function answer(request: WorkerRequest): Promise<void> {
  try {
    scorer ??= createScorer();
    const ready = await scorer;
    const { packedReads, ...asked } = request;
    const rowGroups = unpackReads(asked.rowGroups, packedReads);
    if (asked.kind === 'decode') {
      const decoded = await ready.decode({ ...asked, rowGroup: rowGroups[0]! });
      const reply: WorkerReply = { kind: 'decoded', result: decoded };
      port?.postMessage(reply);
      return;
    }
    const result = await ready.score({ ...asked, rowGroups });
    const reply: WorkerReply = { kind: 'scored', result };
    const arrays = [result.columnsIpc, result.pctr, result.pcvr, result.pctcvr];
    port?.postMessage(
      reply,
      arrays.map((array) => array.buffer as ArrayBuffer),
    );
  } catch (error) {
    // After a panic the decoder's memory can't be trusted: this thread ends and the pool starts a fresh one.
    const isRetiring = isDecoderPoisoned(error);
    const reply: WorkerReply = { kind: 'failed', error: serialiseError(error), isRetiring };
    port?.postMessage(reply);
    if (isRetiring) await stop();
  }
}

/** A failure, such as too little memory for the model, is forgotten: the next request tries anew. */
function createScorer(): Promise<RequestScorer> {
  const created = RequestScorer.create(setup!);
  created.catch(() => {
    scorer = undefined;
  });
  return created;
}

async function stop(): Promise<void> {
  try {
    await (await scorer)?.close();
  } catch {
    // The thread ends either way; the request that failed has been reported.
  } finally {
    port?.close();
  }
}
