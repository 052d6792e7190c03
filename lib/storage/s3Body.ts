import { setTimeout as sleep } from 'node:timers/promises';
import { StorageError } from '../base/errors.ts';

/** The SDK repeats requests, not bodies that break off: those are asked for again this often in all. */
const ATTEMPTS = 4;
const FIRST_PAUSE_MILLIS = 100;

/**
 * Runs a request and reads its body, again from the start when that fails for a reason that may pass.
 * @param translate what was thrown, as a StorageError
 */
export async function withBodyRetries<T>(
  work: () => Promise<T>,
  translate: (thrown: unknown) => StorageError,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const translated = translate(error);
      const isFinal = !translated.retryable || translated.code === 'STORAGE_FILE_CHANGED';
      if (isFinal || attempt === ATTEMPTS) throw translated;
      const pauseMillis = FIRST_PAUSE_MILLIS * 2 ** (attempt - 1) * (0.5 + Math.random());
      await sleep(pauseMillis);
    }
  }
}

/**
 * Fills `target` with a body.
 * @throws StorageError STORAGE_SHORT_READ when it has another length: a broken connection or a proxy's doing
 */
export async function fillFromBody(
  target: Uint8Array,
  body: AsyncIterable<Uint8Array>,
  uri: string,
): Promise<void> {
  const wrongLength = (found: string) =>
    new StorageError('STORAGE_SHORT_READ', 'the answer has another length than it should', {
      file: uri,
      expected: `${target.length} bytes`,
      found,
      retryable: true,
    });
  let filledBytes = 0;
  for await (const chunk of body) {
    if (filledBytes + chunk.length > target.length) throw wrongLength('more');
    target.set(chunk, filledBytes);
    filledBytes += chunk.length;
  }
  if (filledBytes < target.length) throw wrongLength(`${filledBytes}`);
}
