import { StorageError } from '../base/errors.ts';
import { mayPass, type RetryLaw, retry } from '../base/retry.ts';
import { isReplacedFile } from './storage.ts';

/** The SDK repeats requests, not bodies that break off. */
const BODY_LAW: RetryLaw = { attempts: 4, firstPauseMillis: 100, growth: 2, longestPauseMillis: 400 };

/**
 * Runs a request and reads its body, again from the start when that fails for a reason that may pass.
 * @param translate what was thrown, as a StorageError
 */
export async function withBodyRetries<T>(
  work: () => Promise<T>,
  translate: (thrown: unknown) => StorageError,
): Promise<T> {
  const translated = () =>
    work().catch((error: unknown) => {
      throw translate(error);
    });
  return retry(translated, BODY_LAW, { isWorthwhile: (error) => mayPass(error) && !isReplacedFile(error) });
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
