import { diskPath, uriScheme } from './diskPath.ts';
import { localDisk } from './localDisk.ts';
import { s3Storage } from './s3Storage.ts';
import { parseS3Uri } from './s3Uri.ts';
import type { Storage } from './storage.ts';

/**
 * The storage that a URI lives in.
 * @throws StorageError STORAGE_SCHEME_UNSUPPORTED, STORAGE_URI_INVALID
 */
export function storageFor(uri: string): Storage {
  if (uriScheme(uri) === 's3') {
    parseS3Uri(uri);
    return s3Storage;
  }
  diskPath(uri);
  return localDisk;
}
