import { StorageError } from '../base/errors.ts';
import { storageFor } from './openStorage.ts';

/**
 * Reads a document that somebody has named. Documents may hold comments, and then `init` and many editors call them `.jsonc`: the
 * error for one that isn't there names the one that is.
 * @throws StorageError
 */
export async function readDocument(uri: string): Promise<Uint8Array> {
  const storage = storageFor(uri);
  try {
    return await storage.readWhole(uri);
  } catch (error) {
    if (!(error instanceof StorageError) || error.code !== 'STORAGE_NOT_FOUND') throw error;
    const meant = otherName(uri);
    // Whatever keeps it from being looked at, the error is the one about what was asked for.
    if (meant === undefined || !(await storage.exists(meant).catch(() => false))) throw error;
    const summary = `there is no such file; did you mean ${meant}?`;
    throw new StorageError(error.code, summary, { ...error.location, cause: error });
  }
}

function otherName(uri: string): string | undefined {
  if (uri.endsWith('.jsonc')) return uri.slice(0, -1);
  return uri.endsWith('.json') ? `${uri}c` : undefined;
}
