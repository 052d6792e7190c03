import { Ncs4cvrError } from '../lib/base/errors.ts';

/**
 * Waits for work no longer than that: what never answers is reported by name, with what the process waits for, while Lambda's own
 * timeout says nothing and comes when all of the time is paid for. The work itself can't be ended; whatever becomes of it later is
 * no longer asked for.
 * @param what is waited for, as the subject of a sentence
 * @throws Ncs4cvrError CALL_STALLED; the work's own error
 */
export async function inTime<T>(what: string, work: Promise<T>, millis: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(stalled(what, millis)), millis);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function stalled(what: string, millis: number): Ncs4cvrError {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  const waitsFor = [...counts].map(([kind, count]) => `${count} ${kind}`).join(', ');
  return new Ncs4cvrError('CALL_STALLED', `${what} didn't end in time`, {
    expected: `an end within ${Math.round(millis / 1000)} s`,
    found: `active resources: ${waitsFor || 'none'}`,
    retryable: true,
  });
}
