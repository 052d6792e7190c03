import { AsyncLocalStorage } from 'node:async_hooks';
import { logger } from './telemetry.ts';

/** What is known so far of the piece of work that is under way. */
const fields = new AsyncLocalStorage<Record<string, string>>();

/**
 * Does a piece of work and logs how long it took, under a name and fields that logs are searched by (`span`, `partition`).
 * One record per call, whether the work ended or failed; what failed is logged by whoever catches it.
 */
export async function traced<T>(
  span: string,
  known: Readonly<Record<string, string>>,
  work: () => Promise<T>,
): Promise<T> {
  const own = { ...known };
  const startMillis = performance.now();
  let isDone = false;
  try {
    const result = await fields.run(own, work);
    isDone = true;
    return result;
  } finally {
    const durationMillis = Math.round(performance.now() - startMillis);
    logger.info(isDone ? span : `${span} failed`, { span, durationMillis, isDone, ...own });
  }
}

/** What is known of the work only while it is done. */
export function annotate(key: string, value: string): void {
  const own = fields.getStore();
  if (own !== undefined) own[key] = value;
}
