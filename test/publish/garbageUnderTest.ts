import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { collectGarbage } from '../../lib/publish/collectGarbage.ts';
import { storageFor } from '../../lib/storage/openStorage.ts';
import { joinUri } from '../../lib/storage/uri.ts';
import { freshPlace, PARTITION, type Place, put, run, second } from './partitionUnderTest.ts';

/** A collector that finds everything so many days older than it is. */
export const collectAll = (root: string, inDays: number, apply = true) =>
  collectGarbage(root, { olderThanDays: 3, apply, nowMillis: Date.now() + inDays * 86_400_000 });
/** But for what a probe of the store has left, which on S3 every root has. */
export async function collect(root: string, inDays: number, apply = true) {
  const { files: all, ...garbage } = await collectAll(root, inDays, apply);
  const files = all.filter(({ uri }) => !/\/\.probe\/[0-9a-f-]{36}$/.test(uri));
  return { ...garbage, files, sizeBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) };
}
export const namesOf = async (root: string, kind: string) =>
  (await storageFor(root).list(joinUri(root, kind))).map(({ relativePath }) => relativePath);
export const pointerFile = ({ root }: Place) => joinUri(root, 'pointers', `${PARTITION}.json`);

/** Two parts that no pointer reaches: the partition was published, and its pointer is gone. */
export async function unreached(base: string, bundle: ModelBundle) {
  const place = freshPlace(base);
  await put(place, 'a.parquet', second);
  await run(place, bundle);
  await storageFor(place.root).remove(pointerFile(place));
  return place;
}
