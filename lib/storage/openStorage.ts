import { diskPath } from './diskPath.ts';
import { localDisk } from './localDisk.ts';
import type { Storage } from './storage.ts';

/**
 * The storage that a URI lives in.
 * @throws StorageError STORAGE_SCHEME_UNSUPPORTED, STORAGE_URI_INVALID
 */
export function storageFor(uri: string): Storage {
  diskPath(uri);
  return localDisk;
}
