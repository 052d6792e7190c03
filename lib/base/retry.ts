import { Ncs4cvrError } from './errors.ts';

/** How often, how soon and for how long something is tried again. */
export interface RetryLaw {
  /** Tries in all; any number by default. */
  readonly attempts?: number;
  /** After this long no further try is begun; any time by default. */
  readonly limitMillis?: number;
  readonly firstPauseMillis: number;
  /** Every pause is this many times the one before. */
  readonly growth: number;
  readonly longestPauseMillis: number;
}

/** Time, for tests that mustn't wait. */
export interface Clock {
  nowMillis(): number;
  sleep(millis: number): Promise<void>;
}

/** Looks `setTimeout` up with every call, so that fake timers work. */
export const systemClock: Clock = {
  nowMillis: () => performance.now(),
  sleep: (millis) => new Promise((resolve) => setTimeout(resolve, millis)),
};

export interface RetryOptions {
  /** Whether another try can help; by default what the error says of itself. */
  readonly isWorthwhile?: (error: unknown) => boolean;
  readonly clock?: Clock;
}

/** Whether the same call may succeed later without a change by the user. */
export function mayPass(error: unknown): boolean {
  return error instanceof Ncs4cvrError && error.retryable;
}

/** Does work, and does it again while its error may pass and the law allows another try. @throws the last error */
export async function retry<T>(
  work: () => Promise<T>,
  law: RetryLaw,
  { isWorthwhile = mayPass, clock = systemClock }: RetryOptions = {},
): Promise<T> {
  const { attempts = Number.POSITIVE_INFINITY, limitMillis = Number.POSITIVE_INFINITY } = law;
  const startMillis = clock.nowMillis();
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const isLast = attempt >= attempts || clock.nowMillis() - startMillis >= limitMillis;
      if (isLast || !isWorthwhile(error)) throw error;
      await clock.sleep(pauseMillis(law, attempt));
    }
  }
}

/**
 * The pause after a try, or after a look at something that is waited for: half to one and a half of what the law says, so
 * that those who have failed together don't come back together.
 * @param attempt from 1
 */
export function pauseMillis(
  { firstPauseMillis, growth, longestPauseMillis }: RetryLaw,
  attempt: number,
): number {
  return Math.min(longestPauseMillis, firstPauseMillis * growth ** (attempt - 1)) * (0.5 + Math.random());
}
