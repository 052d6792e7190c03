import { storageFor } from '../storage/openStorage.ts';
import { joinUri } from '../storage/uri.ts';
import { type Pointer, readPointer } from './pointer.ts';

/** Every partition's pointer, in binary order of the partitions. */
export async function publicationStatus(root: string): Promise<Pointer[]> {
  const uri = joinUri(root, 'pointers');
  const storage = storageFor(uri);
  if (!(await storage.exists(uri))) return [];
  const found: Pointer[] = [];
  for (const { relativePath } of await storage.list(uri)) {
    const { pointer } = await readPointer(root, relativePath.replace(/\.json$/, ''));
    if (pointer !== undefined) found.push(pointer);
  }
  return found;
}
