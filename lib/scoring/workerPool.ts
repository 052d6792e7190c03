import { Worker } from 'node:worker_threads';
import { type ErrorLocation, messageOf, Ncs4cvrError } from '../base/errors.ts';
import { deserialiseError } from '../base/workerThread.ts';
import type { ModelBundle } from '../bundle/loadBundle.ts';
import { sharedModel } from '../bundle/scoringSession.ts';
import { profileBins } from '../profile/addProfiles.ts';
import { packReads } from './packedReads.ts';
import { PoolRoom } from './poolRoom.ts';
import { ReadAhead, type RowGroupsAhead } from './readAhead.ts';
import type { RequestedRowGroup } from './requestedRowGroup.ts';
import { REQUEST_BYTES } from './requestLimits.ts';
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
  /** Called when a thread has it, or none will. */
  readonly release: () => void;
  /** Runs out when a thread says nothing. */
  timer?: NodeJS.Timeout;
  /** Given what the request's kind is answered with. */
  readonly resolve: (result: ScoredRows | DecodedColumns) => void;
  readonly reject: (error: Error) => void;
}

interface PoolOptions {
  /** After this long without an answer a thread is given up; never by default, as a slow disk may take any time. */
  readonly answerMillis?: number;
}

/** Threads that score with a bundle. @param extraColumns that come back with the scores */
export function scoringPool(
  { contract, vocabularies, model, manifest, reference }: ModelBundle,
  workers: number,
  extraColumns: readonly string[] = [],
  options: PoolOptions = {},
): WorkerPool {
  const setup = {
    ...{ contract, vocabularies, model, extraColumns },
    ...(manifest.labels === undefined ? {} : { labels: manifest.labels }),
    ...(reference === undefined ? {} : { bins: profileBins(reference) }),
  };
  return new WorkerPool(workers, setup, options);
}

/**
 * Threads that score. This thread reads for them, ahead of their turn; they never wait for storage. A failed request rejects its own
 * promise; a thread that dies is replaced.
 */
export class WorkerPool {
  readonly size: number;
  readonly room: PoolRoom;
  readonly #setup: WorkerSetup;
  readonly #idle: Worker[] = [];
  readonly #running = new Map<Worker, PendingRequest>();
  readonly #live = new Set<Worker>();
  readonly #waiting: PendingRequest[] = [];
  /** Each with what takes it for gone, for a thread that is given up. */
  readonly #exits = new Map<Worker, { readonly exit: Promise<void>; readonly forget: () => void }>();
  readonly #answerMillis: number | undefined;
  readonly #ahead: ReadAhead;
  /** Requests whose bytes are being read, or wait for it. */
  #reading = 0;
  #isClosed = false;

  constructor(size: number, setup: WorkerSetup, { answerMillis }: PoolOptions = {}) {
    this.size = size;
    this.room = new PoolRoom(size);
    this.#ahead = new ReadAhead((size + 1) * REQUEST_BYTES);
    this.#answerMillis = answerMillis;
    this.#setup = { ...setup, model: sharedModel(setup.model) };
    const spare = takeSpareThread();
    if (spare === undefined) return;
    // It opens its session while the first requests are planned.
    spare.postMessage(this.#setup);
    this.#idle.push(this.#adopt(spare));
  }

  /**
   * @throws the error of the request's first row group at fault; SCORING_WORKER_DIED when its thread ended; SCORING_WORKER_SILENT
   *   when it didn't answer in time; SCORING_MESSAGE_LOST when the request can't be sent or the answer can't be read;
   *   SCORING_POOL_CLOSED
   */
  async run(request: ScoringRequest): Promise<ScoredRows> {
    const { rowGroups, ...options } = request;
    const needed = options.decoded === undefined && !rowGroups.every(hasBytes);
    const read = needed ? await this.#read(rowGroups) : { rowGroups, release: () => {} };
    const message: WorkerRequest = { kind: 'score', ...options, ...packReads(read.rowGroups) };
    return this.#send(message, read.release) as Promise<ScoredRows>;
  }

  /** @throws as `run` */
  async decode(request: DecodingRequest): Promise<DecodedColumns> {
    const { rowGroup, ...options } = request;
    const read = await this.#read([rowGroup]);
    const message: WorkerRequest = { kind: 'decode', ...options, ...packReads(read.rowGroups) };
    return this.#send(message, read.release) as Promise<DecodedColumns>;
  }

  /** A thread that is to be started gets ready meanwhile. */
  async #read(rowGroups: readonly RequestedRowGroup[]): Promise<RowGroupsAhead> {
    this.#reading++;
    try {
      if (!this.#isClosed && this.#idle.length < this.#reading) {
        const worker = this.#startOne();
        if (worker !== undefined) this.#idle.push(worker);
      }
      return await this.#ahead.read(rowGroups);
    } finally {
      this.#reading--;
    }
  }

  #send(request: WorkerRequest, release: () => void): Promise<ScoredRows | DecodedColumns> {
    if (this.#isClosed) {
      release();
      return Promise.reject(poolClosed(request));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, release, resolve, reject });
      this.#dispatch();
    });
  }

  /** Lets running requests finish and ends every thread; requests that wait are rejected. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { request, release, reject } of this.#waiting.splice(0)) {
      release();
      reject(poolClosed(request));
    }
    for (const worker of this.#live) worker.postMessage(null);
    await Promise.all([...this.#exits.values()].map(({ exit }) => exit));
  }

  #dispatch(): void {
    while (this.#waiting.length > 0) {
      const worker = this.#idle.pop() ?? this.#startOne();
      if (worker === undefined) return;
      const pending = this.#waiting.shift()!;
      try {
        worker.postMessage(pending.request, buffersOf(pending.request));
      } catch (cause) {
        // Nothing was sent: the thread is as idle as before.
        this.#idle.push(worker);
        pending.reject(messageLost('the request could not be sent to its thread', pending, cause));
        continue;
      } finally {
        pending.release();
      }
      this.#running.set(worker, pending);
      if (this.#answerMillis === undefined) continue;
      pending.timer = setTimeout(() => this.#giveUp(worker, pending), this.#answerMillis);
    }
  }

  /** Undefined where there are as many as may be, and where none can be started: then those that wait for the first are rejected. */
  #startOne(): Worker | undefined {
    if (this.#live.size >= this.size) return undefined;
    try {
      return this.#adopt(new Worker(workerEntry(), { workerData: this.#setup }));
    } catch (error) {
      if (this.#live.size > 0) return undefined;
      for (const pending of this.#waiting.splice(0)) {
        pending.release();
        pending.reject(workerDied(pending, error));
      }
      return undefined;
    }
  }

  #adopt(worker: Worker): Worker {
    this.#live.add(worker);
    let death: unknown;
    worker.on('message', (reply: WorkerReply) => this.#settle(worker, reply));
    worker.on('messageerror', (cause) => {
      const pending = this.#finish(worker);
      if (pending === undefined) return;
      this.#idle.push(worker);
      pending.reject(messageLost("the thread's answer could not be read", pending, cause));
      this.#dispatch();
    });
    worker.on('error', (error) => {
      death = error;
    });
    let forget!: () => void;
    const exit = new Promise<void>((resolve) => {
      forget = resolve;
    });
    worker.on('exit', () => {
      this.#bury(worker, death);
      this.#exits.delete(worker);
      forget();
    });
    this.#exits.set(worker, { exit, forget });
    return worker;
  }

  /** What the thread was busy with; it isn't any more. */
  #finish(worker: Worker): PendingRequest | undefined {
    const pending = this.#running.get(worker);
    this.#running.delete(worker);
    clearTimeout(pending?.timer);
    return pending;
  }

  #settle(worker: Worker, reply: WorkerReply): void {
    // It was given up.
    if (!this.#live.has(worker)) return;
    const pending = this.#finish(worker);
    if (reply.kind === 'failed' && reply.isRetiring) this.#live.delete(worker);
    else this.#idle.push(worker);
    if (reply.kind === 'failed') pending?.reject(deserialiseError(reply.error));
    else pending?.resolve(reply.result);
    this.#dispatch();
  }

  /**
   * Another thread takes its place. It isn't ended, as that may abort the process; it ends by itself if it ever comes round, and
   * nobody waits for that.
   */
  #giveUp(worker: Worker, pending: PendingRequest): void {
    // Whether it waits or computes tells what it hangs on.
    const { idle, active } = worker.performance.eventLoopUtilization();
    this.#finish(worker);
    this.#live.delete(worker);
    worker.postMessage(null);
    worker.unref();
    this.#exits.get(worker)?.forget();
    this.#exits.delete(worker);
    pending.reject(
      new Ncs4cvrError('SCORING_WORKER_SILENT', "the scoring thread doesn't answer", {
        ...placeOf(pending.request),
        expected: `an answer within ${this.#answerMillis! / 1000} s`,
        found: `none; since its start the thread waited for ${seconds(idle)} and was busy for ${seconds(active)}`,
        retryable: true,
      }),
    );
    this.#dispatch();
  }

  #bury(worker: Worker, death: unknown): void {
    this.#live.delete(worker);
    const idle = this.#idle.indexOf(worker);
    if (idle >= 0) this.#idle.splice(idle, 1);
    const pending = this.#finish(worker);
    pending?.reject(workerDied(pending, death));
    this.#dispatch();
  }
}

function hasBytes({ buffer }: RequestedRowGroup): boolean {
  return buffer !== undefined;
}

function seconds(millis: number): string {
  return `${Math.round(millis / 1000)} s`;
}

function workerDied({ request }: PendingRequest, death: unknown): Ncs4cvrError {
  return new Ncs4cvrError('SCORING_WORKER_DIED', 'the scoring thread ended within this row group', {
    ...placeOf(request),
    found: death instanceof Error ? death.message : 'an exit without an error',
    cause: death,
  });
}

function messageLost(summary: string, { request }: PendingRequest, cause: unknown): Ncs4cvrError {
  return new Ncs4cvrError('SCORING_MESSAGE_LOST', summary, {
    ...placeOf(request),
    found: messageOf(cause),
    cause,
    retryable: true,
  });
}

/** Handed over, not copied. */
function buffersOf({ rowGroups, packedReads }: WorkerRequest): ArrayBuffer[] {
  const buffers = new Set([packedReads.chunks.buffer]);
  for (const { buffer } of rowGroups) if (buffer !== undefined) buffers.add(buffer.buffer as ArrayBuffer);
  return [...buffers];
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
