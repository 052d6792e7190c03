import type { UnitUsage } from '../lib/publish/workUnit.ts';

let isStarted = false;

/** A clock that is started with a call of this function. */
export interface CallClock {
  /** Milliseconds that Lambda bills until now, nearly: the first call of a process also pays for its start. */
  readonly billedMillis: () => number;
}

export function startCallClock(): CallClock {
  // performance.now() counts from the start of the process.
  const startMillis = isStarted ? performance.now() : 0;
  isStarted = true;
  return { billedMillis: () => performance.now() - startMillis };
}

/**
 * What a unit has taken with this call.
 * @param before of the calls that left it
 * @returns undefined where nobody says how much memory the function has, as outside of Lambda
 */
export function usageWith(before: UnitUsage | undefined, billedMillis: number): UnitUsage | undefined {
  const memoryMegabytes = Number(process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE);
  if (!(memoryMegabytes > 0)) return undefined;
  const gigabyteSeconds = (memoryMegabytes / 1024) * (billedMillis / 1000);
  return {
    gigabyteSeconds: (before?.gigabyteSeconds ?? 0) + gigabyteSeconds,
    calls: (before?.calls ?? 0) + 1,
  };
}
