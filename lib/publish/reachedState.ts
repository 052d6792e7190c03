import { readManifest } from './manifest.ts';
import { readPointer } from './pointer.ts';

/** What a partition's pointer reaches, by its current state or its history. */
export interface ReachedState {
  readonly partIds: ReadonlySet<string>;
  /** Paths of audit documents below the root. */
  readonly audits: ReadonlySet<string>;
  /** Undefined for a partition without a pointer. */
  readonly generation: number | undefined;
}

/**
 * Looks what a partition's pointer reaches, anew each time: one GET while the pointer stays the same.
 * @throws Ncs4cvrError PUBLISH_MANIFEST_DAMAGED, StorageError STORAGE_NOT_FOUND: what can't be read reaches nothing known
 */
export function reachedStateOf(root: string, partition: string): () => Promise<ReachedState> {
  let known: { readonly version: string | undefined; readonly state: ReachedState } | undefined;
  /** By digest: they never change. */
  const partsOf = new Map<string, readonly string[]>();
  return async () => {
    const { pointer, version } = await readPointer(root, partition);
    if (known !== undefined && known.version === version) return known.state;
    const publications = pointer === undefined ? [] : [pointer.current, ...pointer.history];
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
    known = { version, state };
    return state;
  };
}
