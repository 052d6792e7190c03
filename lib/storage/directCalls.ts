/** What a call may take before it counts as slow: no answer of the page cache takes as long. */
const SLOW_MILLIS = 1;
/** As many slow calls in turn, or with few others between them, are the file system's: one may be a thread that had to wait for a processor. */
const MOST_SLOW = 4;
/** Calls that a slow one counts as much as. */
const SLOW_WEIGHT = 16;
/** Calls that take the detour then, before the next one is tried. */
const DETOURS = 256;

/** Of this thread. */
let slowness = 0;
let detours = 0;

/**
 * Calls the file system on the thread that asks, as long as it answers at once. What is in memory is there in microseconds, and
 * the detour over Node's thread pool takes ten times the processor time, in two threads: with thousands of small files, more than
 * reading their rows does. A disk that has to be waited for gets the detour, so that calls wait together and nothing else waits.
 * @param direct does the same as `detour`; it waits for nothing but the disk
 */
export async function callDirectly<Found>(direct: () => Found, detour: () => Promise<Found>): Promise<Found> {
  if (detours === 0) return timed(direct);
  detours--;
  return detour();
}

/** A direct call that has no detour. */
export function timed<Found>(direct: () => Found): Found {
  const startMillis = performance.now();
  try {
    return direct();
  } finally {
    const isSlow = performance.now() - startMillis > SLOW_MILLIS;
    slowness = isSlow ? slowness + SLOW_WEIGHT : Math.max(0, slowness - 1);
    if (slowness >= MOST_SLOW * SLOW_WEIGHT) [slowness, detours] = [0, DETOURS];
  }
}
