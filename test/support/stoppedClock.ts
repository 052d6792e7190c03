import type { Clock } from '../../lib/base/retry.ts';

/** Time that passes only while somebody sleeps. @param startMillis what it shows first */
export function stoppedClock(startMillis = 5000): Clock & { readonly pauses: number[] } {
  const pauses: number[] = [];
  let now = startMillis;
  return {
    pauses,
    nowMillis: () => now,
    sleep: async (millis) => {
      pauses.push(millis);
      now += millis;
    },
  };
}
