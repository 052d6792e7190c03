import { fileURLToPath } from 'node:url';
import { messageOf, StorageError } from '../errors.ts';

/** At least two characters: 'C:\data' is a path. */
const SCHEME = /^([a-z][a-z0-9+.-]+):\/\//i;

/** The URI's scheme in lower case, undefined for a plain path. */
export function uriScheme(uri: string): string | undefined {
  return SCHEME.exec(uri)?.[1]?.toLowerCase();
}

/**
 * The path on disk that a `file://` URI or a plain path names. Plain paths are taken literally: no percent-decoding.
 * @throws StorageError STORAGE_SCHEME_UNSUPPORTED, STORAGE_URI_INVALID
 */
export function diskPath(uri: string): string {
  const scheme = uriScheme(uri);
  if (scheme === undefined) return uri;
  if (scheme !== 'file') {
    throw new StorageError('STORAGE_SCHEME_UNSUPPORTED', 'this storage is not supported', {
      file: uri,
      expected: 'a path, a file:// or an s3:// URI',
      found: `${scheme}://`,
    });
  }
  try {
    return fileURLToPath(uri);
  } catch (cause) {
    throw new StorageError('STORAGE_URI_INVALID', 'not a usable file URI', {
      file: uri,
      expected: 'file:///absolute/path',
      found: messageOf(cause),
      cause,
    });
  }
}
