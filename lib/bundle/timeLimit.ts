import { type Context, createContext, Script } from 'node:vm';

/** Work that took longer than its `TimeLimit`. */
export class TimeIsOverError extends Error {}

const CALL_WORK = new Script('work()');

/** Of work that is given too little of a processor; each waits twice as long. */
const ATTEMPTS = 6;

/**
 * Ends JavaScript that doesn't end by itself: V8 interrupts it in the middle of a loop. Only the time within `run` counts, so
 * that neither native code nor a wait uses it up. Native code can't be interrupted; that it ends must be known. What counts is the
 * processor's time, with that of the process's other threads at most as long as the clock's: on a busy machine, milliseconds of
 * work take seconds, and say nothing against it.
 */
export class TimeLimit {
  #leftMillis: number;
  readonly #scope: { work: () => unknown } = { work: () => undefined };
  readonly #context: Context = createContext(this.#scope);

  /** @param limitMillis for all calls of `run` together */
  constructor(limitMillis: number) {
    this.#leftMillis = limitMillis;
  }

  /**
   * Runs synchronous work, and again where it was interrupted before it had its time.
   * @param work may be begun more than once
   * @throws TimeIsOverError; what the work throws
   */
  run<T>(work: () => T): T {
    this.#scope.work = work;
    for (let attempt = 0; attempt < ATTEMPTS && this.#leftMillis >= 1; attempt++) {
      const startedMillis = performance.now();
      const startedUsage = process.cpuUsage();
      try {
        const timeout = Math.ceil(this.#leftMillis * 2 ** attempt);
        return CALL_WORK.runInContext(this.#context, { timeout }) as T;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
      } finally {
        const { user, system } = process.cpuUsage(startedUsage);
        this.#leftMillis -= Math.min(performance.now() - startedMillis, (user + system) / 1000);
      }
    }
    throw new TimeIsOverError();
  }
}
