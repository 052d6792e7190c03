import { listIfAny } from '../storage/listIfAny.ts';
import { joinUri } from '../storage/uri.ts';
import { type Pointer, readPointer } from './pointer.ts';

/** Every partition's pointer, in binary order of the partitions. */
export async function publicationStatus(root: string): Promise<Pointer[]> {
  const found: Pointer[] = [];
  for (const { relativePath } of await listIfAny(joinUri(root, 'pointers'))) {
    const { pointer } = await readPointer(root, relativePath.replace(/\.json$/, ''));
    if (pointer !== undefined) found.push(pointer);
  }
  return found;
}
