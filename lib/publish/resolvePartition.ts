import { PublishError } from '../errors.ts';
import { type Manifest, readManifest } from './manifest.ts';
import { pointerUri } from './outputLayout.ts';
import { type Pointer, readPointer } from './pointer.ts';

/** What a reader of a partition sees: two GETs. @throws PublishError PUBLISH_NOTHING, PUBLISH_MANIFEST_DAMAGED */
export async function resolvePartition(
  root: string,
  partition: string,
): Promise<{ readonly pointer: Pointer; readonly manifest: Manifest }> {
  const { pointer } = await readPointer(root, partition);
  if (pointer !== undefined) return { pointer, manifest: await readManifest(pointer.current) };
  throw new PublishError('PUBLISH_NOTHING', 'nothing was ever published for this partition', {
    file: pointerUri(root, partition),
  });
}
