import { Worker } from 'node:worker_threads';
import { type ErrorLocation, Ncs4cvrError } from '../base/errors.ts';
import { deserialiseError } from '../base/workerThread.ts';
import type { ModelBundle } from '../bundle/loadBundle.ts';
import { sharedModel } from '../bundle/scoringSession.ts';
import { profileBins } from '../profile/addProfiles.ts';
import { packReads } from './packedReads.ts';
import type {
  DecodedColumns,
  DecodingRequest,
  ScoredRows,
  ScoringRequest,
  WorkerReply,
  WorkerRequest,
  WorkerSetup,
} from './scoringProtocol.ts';
import { takeSpareThread } from './spareThread.ts';
import { workerEntry } from './workerEntry.ts';

interface PendingRequest {
  readonly request: WorkerRequest;
  /** Given what the request's kind is answered with. */
  readonly resolve: (result: ScoredRows | DecodedColumns) => void;
  readonly reject: (error: Error) => void;
}

/** Threads that score with a bundle. @param extraColumns that come back with the scores */
export function scoringPool(
  { contract, vocabularies, model, manifest, reference }: ModelBundle,
  workers: number,
  extraColumns: readonly string[] = [],
): WorkerPool {
  return new WorkerPool(workers, {
    ...{ contract, vocabularies, model, extraColumns },
    ...(manifest.labels === undefined ? {} : { labels: manifest.labels }),
    ...(reference === undefined ? {} : { bins: profileBins(reference) }),
  });
}

/** Threads that score. A failed request rejects its own promise; a thread that dies is replaced. */
export class WorkerPool {
  readonly size: number;
  /** Requests sent and not yet written out, over all files: each may hold its rows in memory. */
  heldRequests = 0;
  readonly #setup: WorkerSetup;
  readonly #idle: Worker[] = [];
  readonly #running = new Map<Worker, PendingRequest>();
  readonly #live = new Set<Worker>();
  readonly #waiting: PendingRequest[] = [];
  readonly #exits = new Set<Promise<void>>();
  #isClosed = false;

  constructor(size: number, setup: WorkerSetup) {
    this.size = size;
    this.#setup = { ...setup, model: sharedModel(setup.model) };
    const spare = takeSpareThread();
    if (spare === undefined) return;
    // It opens its session while the first requests are planned.
    spare.postMessage(this.#setup);
    this.#idle.push(this.#adopt(spare));
  }

  /** Whether a file that has requests in flight may send one more: one more than there are threads. */
  get hasRoom(): boolean {
    return this.heldRequests <= this.size;
  }

  /** @throws the error of the request's first row group at fault; SCORING_WORKER_DIED when its thread ended; SCORING_POOL_CLOSED */
  run(request: ScoringRequest): Promise<ScoredRows> {
    const { rowGroups, ...options } = request;
    return this.#send({ kind: 'score', ...options, ...packReads(rowGroups) }) as Promise<ScoredRows>;
  }

  /** @throws as `run` */
  decode(request: DecodingRequest): Promise<DecodedColumns> {
    const { rowGroup, ...options } = request;
    return this.#send({ kind: 'decode', ...options, ...packReads([rowGroup]) }) as Promise<DecodedColumns>;
  }

  #send(request: WorkerRequest): Promise<ScoredRows | DecodedColumns> {
    if (this.#isClosed) return Promise.reject(poolClosed(request));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, resolve, reject });
      this.#dispatch();
    });
  }

  /** Lets running requests finish and ends every thread; requests that wait are rejected. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { request, reject } of this.#waiting.splice(0)) reject(poolClosed(request));
    for (const worker of this.#live) worker.postMessage(null);
    await Promise.all(this.#exits);
  }

  #dispatch(): void {
    while (this.#waiting.length > 0) {
      const worker =
        this.#idle.pop() ??
        (this.#live.size < this.size
          ? this.#adopt(new Worker(workerEntry(), { workerData: this.#setup }))
          : undefined);
      if (worker === undefined) return;
      const pending = this.#waiting.shift()!;
      this.#running.set(worker, pending);
      worker.postMessage(pending.request, buffersOf(pending.request));
    }
  }

  #adopt(worker: Worker): Worker {
    this.#live.add(worker);
    let death: unknown;
    worker.on('message', (reply: WorkerReply) => this.#settle(worker, reply));
    worker.on('error', (error) => {
      death = error;
    });
    const exit = new Promise<void>((resolve) => {
      worker.on('exit', () => {
        this.#bury(worker, death);
        this.#exits.delete(exit);
        resolve();
      });
    });
    this.#exits.add(exit);
    return worker;
  }

  #settle(worker: Worker, reply: WorkerReply): void {
    const pending = this.#running.get(worker);
    this.#running.delete(worker);
    if (reply.kind === 'failed' && reply.isRetiring) this.#live.delete(worker);
    else this.#idle.push(worker);
    if (reply.kind === 'failed') pending?.reject(deserialiseError(reply.error));
    else pending?.resolve(reply.result);
    this.#dispatch();
  }

  #bury(worker: Worker, death: unknown): void {
    this.#live.delete(worker);
    const idle = this.#idle.indexOf(worker);
    if (idle >= 0) this.#idle.splice(idle, 1);
    const pending = this.#running.get(worker);
    this.#running.delete(worker);
    pending?.reject(
      new Ncs4cvrError('SCORING_WORKER_DIED', 'the scoring thread ended within this row group', {
        ...placeOf(pending.request),
        found: death instanceof Error ? death.message : 'an exit without an error',
        cause: death,
      }),
    );
    this.#dispatch();
  }
}

/** Handed over, not copied. */
function buffersOf({ rowGroups, packedReads }: WorkerRequest): ArrayBuffer[] {
  const buffers = [packedReads.chunks.buffer];
  for (const { buffer } of rowGroups) if (buffer !== undefined) buffers.push(buffer.buffer as ArrayBuffer);
  return buffers;
}

/** Of the request's first row group: which one it was about isn't known. */
function placeOf(request: WorkerRequest): ErrorLocation {
  const { uri, reads } = request.rowGroups[0]!;
  return { file: uri, rowGroup: reads.rowGroup };
}

function poolClosed(request: WorkerRequest): Ncs4cvrError {
  return new Ncs4cvrError(
    'SCORING_POOL_CLOSED',
    'the scoring threads were ended before this row group',
    placeOf(request),
  );
}
