import type { Worker, WorkerOptions } from 'node:worker_threads';
import { isRecord } from '../../../lib/base/jsonDocument.ts';

type Send = Worker['postMessage'];

const idle: KeptThread[] = [];

/** `Worker` that hands out a scoring thread again once its pool has told it to end. */
export function reusing(real: typeof Worker): typeof Worker {
  return new Proxy(real, {
    construct(_, [script, options = {}]: [string | URL, WorkerOptions?]) {
      if (!String(script).endsWith('/scoring/scoringWorker.js')) return new real(script, options);
      return idle.pop()?.again(options.workerData) ?? new KeptThread(new real(script, options)).worker;
    },
  });
}

class KeptThread {
  readonly worker: Worker;
  readonly #send: Send;
  readonly #emit: (name: string, ...values: unknown[]) => boolean;
  /** Sent with the first message that needs it: a setup that fails alone would fail nothing. */
  #setup: unknown;
  #unanswered = 0;
  #isToEnd = false;

  constructor(worker: Worker) {
    this.worker = worker;
    this.#send = worker.postMessage.bind(worker);
    this.#emit = worker.emit.bind(worker);
    worker.postMessage = (...message: Parameters<Send>) => this.#take(...message);
    worker.emit = (name: string, ...values: unknown[]) => this.#hear(name, values);
    // Node has listeners of its own there, and without them a thread whose last listener is gone is never heard again.
    const remove = worker.removeAllListeners.bind(worker);
    worker.removeAllListeners = () => {
      for (const event of ['message', 'messageerror', 'error', 'exit']) remove(event);
      return worker;
    };
  }

  again(setup: unknown): Worker {
    this.#setup = setup;
    this.worker.ref();
    return this.worker;
  }

  #take(...message: Parameters<Send>): void {
    const [value] = message;
    if (value === null) {
      this.#isToEnd = true;
      this.#keepWhenIdle();
      return;
    }
    if (this.#setup !== undefined) this.#send(this.#setup);
    this.#setup = undefined;
    this.#send(...message);
    if (!isRecord(value) || !('contract' in value)) this.#unanswered++;
  }

  #hear(name: string, values: readonly unknown[]): boolean {
    const isAnswer = name === 'message' || name === 'messageerror';
    if (isAnswer) this.#unanswered--;
    if (name === 'exit' && idle.includes(this)) idle.splice(idle.indexOf(this), 1);
    const isHeard = this.#emit(name, ...values);
    const [reply] = values;
    // It ends by itself.
    if (isAnswer && isRecord(reply) && reply.isRetiring === true) return isHeard;
    if (isAnswer) this.#keepWhenIdle();
    return isHeard;
  }

  /** As a thread that has ended, to the one that told it to. */
  #keepWhenIdle(): void {
    if (!this.#isToEnd || this.#unanswered > 0) return;
    this.#isToEnd = false;
    setImmediate(() => {
      this.#emit('exit', 0);
      this.worker.removeAllListeners();
      this.worker.unref();
      idle.push(this);
    });
  }
}
