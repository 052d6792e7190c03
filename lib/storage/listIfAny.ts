import { storageFor } from './openStorage.ts';
import type { ListedFile } from './storage.ts';

/** As `Storage.list`, of a folder that may not be there. */
export async function listIfAny(uri: string): Promise<readonly ListedFile[]> {
  const storage = storageFor(uri);
  return (await storage.exists(uri)) ? storage.list(uri) : [];
}
