import { storageFor } from '../storage/openStorage.ts';
import type { ListedFile } from '../storage/storage.ts';
import { joinUri } from '../storage/uri.ts';
import { readManifest } from './manifest.ts';
import { readPointer } from './pointer.ts';

export interface GarbageOptions {
  /** What is younger stays; at least 2, so that a run that is going on keeps what it relies on. */
  readonly olderThanDays: number;
  /** Delete, not only list. */
  readonly apply: boolean;
  /** Milliseconds since 1970. */
  readonly nowMillis: number;
}

export interface Garbage {
  readonly files: readonly ListedFile[];
  readonly sizeBytes: number;
}

const DAY_MILLIS = 86_400_000;
export const LEAST_GARBAGE_DAYS = 2;

/**
 * Finds, and with `apply` deletes, what no pointer reaches and is older than some days: receipts, manifests and plans at once,
 * parts only when their receipt is gone, which takes another call later (docs/publish-protocol.md).
 */
export async function collectGarbage(
  root: string,
  { olderThanDays, apply, nowMillis }: GarbageOptions,
): Promise<Garbage> {
  if (!(olderThanDays >= LEAST_GARBAGE_DAYS)) throw new RangeError(`olderThanDays: ${olderThanDays}`);
  const limitMillis = nowMillis - olderThanDays * DAY_MILLIS;
  // Before the pointers are read: what is published from here on is younger, or has a receipt.
  const [parts, receipts, manifests, plans] = await Promise.all(
    ['parts', 'receipts', 'manifests', 'plans'].map((folder) => filesBelow(joinUri(root, folder))),
  );
  const reached = await reachedNames(root);
  const nameOf = (file: ListedFile) => file.relativePath.replace(/\.[a-z]+$/, '');
  const isGarbage = (file: ListedFile) => file.modifiedMillis < limitMillis && !reached.has(nameOf(file));
  const receiptNames = new Set(receipts!.map(nameOf));
  const files = [
    ...receipts!.filter(isGarbage),
    ...manifests!.filter(isGarbage),
    ...plans!.filter(isGarbage),
    ...parts!.filter((part) => isGarbage(part) && !receiptNames.has(nameOf(part))),
  ];
  if (apply) for (const { uri } of files) await storageFor(uri).remove(uri);
  return { files, sizeBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) };
}

/** `PARTITION/NAME` of every part and manifest that a pointer's manifest or history names. */
async function reachedNames(root: string): Promise<Set<string>> {
  const reached = new Set<string>();
  for (const { relativePath } of await filesBelow(joinUri(root, 'pointers'))) {
    const partition = relativePath.replace(/\.json$/, '');
    const { pointer } = await readPointer(root, partition);
    if (pointer === undefined) continue;
    for (const publication of [pointer.current, ...pointer.history]) {
      reached.add(`${partition}/${publication.sha256}`);
      const { parts } = await readManifest(publication);
      for (const { partId } of parts) reached.add(`${partition}/${partId}`);
    }
  }
  return reached;
}

async function filesBelow(uri: string): Promise<readonly ListedFile[]> {
  const storage = storageFor(uri);
  return (await storage.exists(uri)) ? storage.list(uri) : [];
}
