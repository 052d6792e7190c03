import { readBlocked } from './blockedPartition.ts';
import { readManifest } from './manifest.ts';
import { readPointer } from './pointer.ts';

/** What a partition's pointer reaches, by its current state or its history, and what an operator may still release. */
export interface ReachedState {
  readonly partIds: ReadonlySet<string>;
  /** Paths of audit documents below the root. */
  readonly audits: ReadonlySet<string>;
  /** Undefined for a partition without a pointer. */
  readonly generation: number | undefined;
}

/**
 * Looks what a partition's pointer and the note of what a gate has blocked reach, anew each time: two GETs while both stay the
 * same. A note counts until the pointer has flipped past it, or until it is cleared.
 * @throws Ncs4cvrError PUBLISH_MANIFEST_DAMAGED, StorageError STORAGE_NOT_FOUND: what can't be read reaches nothing known
 */
export function reachedStateOf(root: string, partition: string): () => Promise<ReachedState> {
  let known: { readonly versions: string; readonly state: ReachedState } | undefined;
  /** By digest: they never change. */
  const partsOf = new Map<string, readonly string[]>();
  return async () => {
    // In this order: a release flips to what the note names, so that one of both names it.
    const note = await readBlocked(root, partition);
    const { pointer, version } = await readPointer(root, partition);
    const versions = JSON.stringify([version ?? null, note.version ?? null]);
    if (known?.versions === versions) return known.state;
    const { blocked } = note;
    const isBlocked = blocked !== undefined && !blocked.isCleared;
    const publications = [
      ...(pointer === undefined ? [] : [pointer.current, ...pointer.history]),
      ...(isBlocked && blocked.generation >= (pointer?.generation ?? 0) ? [blocked.publication] : []),
    ];
    for (const publication of publications) {
      if (partsOf.has(publication.sha256)) continue;
      const { parts } = await readManifest(root, publication);
      partsOf.set(
        publication.sha256,
        parts.map(({ partId }) => partId),
      );
    }
    const state: ReachedState = {
      partIds: new Set(publications.flatMap(({ sha256 }) => partsOf.get(sha256)!)),
      audits: new Set(publications.map(({ audit }) => audit)),
      generation: pointer?.generation,
    };
    known = { versions, state };
    return state;
  };
}
