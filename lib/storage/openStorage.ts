import { localDisk } from './localDisk.ts';
import { s3Storage } from './s3Storage.ts';
import type { CreateOptions, ListedFile, Storage } from './storage.ts';
import { diskPath, folderUri, parseS3Uri, uriScheme } from './uri.ts';

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

/** As `Storage.list`, of a folder that may not be there: on S3 a request per 1,000 files and no other. */
export async function listIfAny(uri: string): Promise<readonly ListedFile[]> {
  const storage = storageFor(uri);
  // S3 has no folders, so that one which isn't there is empty.
  if (storage === s3Storage) return storage.list(folderUri(uri));
  return (await storage.exists(uri)) ? storage.list(uri) : [];
}

/** Writes a whole file in one step: it is there complete, or not at all. */
export async function writeWhole(uri: string, bytes: Uint8Array, options?: CreateOptions): Promise<void> {
  const file = await storageFor(uri).createAtomic(uri, options);
  try {
    await file.write(bytes);
    await file.commit();
  } catch (error) {
    await file.abort();
    throw error;
  }
}
