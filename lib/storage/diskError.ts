import { messageOf, StorageError } from '../base/errors.ts';

const CODES: Readonly<Record<string, readonly [code: string, summary: string]>> = {
  ENOENT: ['STORAGE_NOT_FOUND', 'there is no such file or folder'],
  ENOTDIR: ['STORAGE_NOT_FOUND', 'there is no such file or folder'],
  EISDIR: ['STORAGE_NOT_A_FILE', 'this is a folder, not a file'],
  EACCES: ['STORAGE_ACCESS_DENIED', 'access is denied'],
  EPERM: ['STORAGE_ACCESS_DENIED', 'access is denied'],
  EROFS: ['STORAGE_ACCESS_DENIED', 'the file system is read-only'],
  ENOSPC: ['STORAGE_FULL', 'the disk is full'],
  EDQUOT: ['STORAGE_FULL', 'the disk quota is used up'],
};

/** Shortages that pass: open files, locks, interrupted calls. */
const RETRYABLE = new Set(['EMFILE', 'ENFILE', 'EAGAIN', 'EBUSY', 'EINTR']);

/** Turns what a file system call threw into a StorageError; StorageErrors pass through unchanged. */
export function diskError(
  thrown: unknown,
  uri: string,
  fallback: 'STORAGE_READ_FAILED' | 'STORAGE_WRITE_FAILED',
): StorageError {
  if (thrown instanceof StorageError) return thrown;
  const errno = (thrown as NodeJS.ErrnoException | undefined)?.code ?? '';
  const failed = fallback === 'STORAGE_READ_FAILED' ? 'reading failed' : 'writing failed';
  const [code, summary] = CODES[errno] ?? [fallback, failed];
  return new StorageError(code, summary, {
    file: uri,
    // Nothing more is known of what isn't there.
    ...(errno !== 'ENOENT' && { found: messageOf(thrown) }),
    retryable: RETRYABLE.has(errno),
    cause: thrown,
  });
}
