import { z } from 'zod';
import { sha256 } from '../base/digest.ts';
import { encodeJson } from '../base/jsonDocument.ts';
import { listIfAny, storageFor } from '../storage/openStorage.ts';
import type { ListedFile } from '../storage/storage.ts';
import { joinUri } from '../storage/uri.ts';
import { readManifest } from './manifest.ts';
import { decodeOutputDocument } from './outputLayout.ts';
import { publicationStatus } from './publishedState.ts';

export interface GarbageOptions {
  /** What is younger stays; at least 2, so that a run in progress keeps what it relies on. */
  readonly olderThanDays: number;
  /** Delete, not only list. */
  readonly apply: boolean;
  /** Milliseconds since 1970. */
  readonly nowMillis: number;
}

export interface Garbage {
  /** What this call deletes, or would. */
  readonly files: readonly ListedFile[];
  readonly sizeBytes: number;
  /** Parts that a call a day later may delete. */
  readonly condemnedParts: number;
}

const DAY_MILLIS = 86_400_000;
export const LEAST_GARBAGE_DAYS = 2;

/** Folders of what only a run needs: its plans, pieces of long parts, and notes that are made anew where they still hold. */
const LEFTOVERS = ['plans', 'segments', 'broken'];

/** Names of parts that were found to be garbage; a part is deleted a day after its name was written here. */
const condemnedSchema = z.array(z.string());

/**
 * Finds, and with `apply` deletes, what no pointer reaches and is older than some days (docs/publish-protocol.md): plans, segments, notes of broken shards
 * and receipts at once, parts only a day after their receipts. A publisher that has read a receipt before it was deleted
 * has published by then, and its parts are reached. Manifests are small and stay.
 */
export async function collectGarbage(
  root: string,
  { olderThanDays, apply, nowMillis }: GarbageOptions,
): Promise<Garbage> {
  if (!(olderThanDays >= LEAST_GARBAGE_DAYS)) throw new RangeError(`olderThanDays: ${olderThanDays}`);
  const [parts = [], receipts = [], lists = [], ...leftovers] = await Promise.all(
    ['parts', 'receipts', 'garbage', ...LEFTOVERS].map((folder) => listIfAny(joinUri(root, folder))),
  );
  const reached = await reachedParts(root);
  const isOld = ({ modifiedMillis }: ListedFile) => modifiedMillis < nowMillis - olderThanDays * DAY_MILLIS;
  const isGarbage = (file: ListedFile) => isOld(file) && !reached.has(nameOf(file));
  const staleReceipts = receipts.filter(isGarbage);
  const deleted = new Set(staleReceipts.map(nameOf));
  const standing = new Set(receipts.map(nameOf).filter((name) => !deleted.has(name)));
  const unwanted = parts.filter((part) => isGarbage(part) && !standing.has(nameOf(part)));
  const condemned = await condemnedBefore(lists, nowMillis - DAY_MILLIS);
  const files = [
    ...leftovers.flat().filter(isOld),
    ...lists.filter(isOld),
    ...staleReceipts,
    ...unwanted.filter((part) => condemned.has(nameOf(part)) && !deleted.has(nameOf(part))),
  ];
  const waiting = unwanted.map(nameOf).filter((name) => !condemned.has(name) || deleted.has(name));
  if (apply) {
    if (waiting.length > 0) {
      const bytes = encodeJson(waiting);
      const uri = joinUri(root, 'garbage', `${nowMillis}-${sha256(bytes).slice(0, 16)}.json`);
      await storageFor(uri).createIfAbsent(uri, bytes);
    }
    for (const { uri } of files) await storageFor(uri).remove(uri);
  }
  const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  return { files, sizeBytes, condemnedParts: waiting.length };
}

/** `PARTITION/ID`. */
function nameOf({ relativePath }: ListedFile): string {
  return relativePath.replace(/(-\d+)?\.[a-z]+$/, '');
}

async function condemnedBefore(lists: readonly ListedFile[], limitMillis: number): Promise<Set<string>> {
  const names = new Set<string>();
  for (const { uri, modifiedMillis } of lists) {
    if (modifiedMillis >= limitMillis) continue;
    const bytes = await storageFor(uri).readWhole(uri);
    for (const name of decodeOutputDocument(bytes, condemnedSchema, 'list of garbage', uri)) names.add(name);
  }
  return names;
}

/** Every part that the manifests name which a pointer names, as current or in its history. */
async function reachedParts(root: string): Promise<Set<string>> {
  const reached = new Set<string>();
  for (const { partition, current, history } of await publicationStatus(root)) {
    for (const publication of [current, ...history]) {
      const { parts } = await readManifest(root, publication);
      for (const { partId } of parts) reached.add(`${partition}/${partId}`);
    }
  }
  return reached;
}
