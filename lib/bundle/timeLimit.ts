import { type Context, createContext, Script } from 'node:vm';

/** Work that took longer than its `TimeLimit`. */
export class TimeIsOverError extends Error {}

const CALL_WORK = new Script('work()');

/**
 * Ends JavaScript that doesn't end by itself: V8 interrupts it in the middle of a loop. Only the time within `run` counts, so
 * that neither native code nor a wait uses it up. Native code can't be interrupted; that it ends must be known.
 */
export class TimeLimit {
  #leftMillis: number;
  readonly #scope: { work: () => unknown } = { work: () => undefined };
  readonly #context: Context = createContext(this.#scope);

  /** @param limitMillis for all calls of `run` together */
  constructor(limitMillis: number) {
    this.#leftMillis = limitMillis;
  }

  /** Runs synchronous work. @throws TimeIsOverError; what the work throws */
  run<T>(work: () => T): T {
    if (this.#leftMillis < 1) throw new TimeIsOverError();
    const startedMillis = performance.now();
    this.#scope.work = work;
    try {
      return CALL_WORK.runInContext(this.#context, { timeout: Math.ceil(this.#leftMillis) }) as T;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT')
        throw new TimeIsOverError();
      throw error;
    } finally {
      this.#leftMillis -= performance.now() - startedMillis;
    }
  }
}
