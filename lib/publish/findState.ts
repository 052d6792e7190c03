import { Ncs4cvrError } from '../base/errors.ts';
import { storageFor } from '../storage/openStorage.ts';
import { type Manifest, readManifest } from './manifest.ts';
import { below, manifestPath, pointerPath } from './outputLayout.ts';
import { type Pointer, type Publication, readPointer } from './pointer.ts';
import { refuseNoRoot } from './publishedState.ts';

/** One state of a partition's scores, visible or not. */
export interface FoundState {
  readonly root: string;
  readonly partition: string;
  /** Of the manifest's bytes. */
  readonly sha256: string;
  readonly manifest: Manifest;
  /** What the pointer says of it; undefined for a manifest that no pointer names, such as one that was never made visible. */
  readonly publication: Publication | undefined;
  readonly isCurrent: boolean;
  /** Of the partition's pointer when it was found; 0 without one. */
  readonly generation: number;
}

/** `current` is what readers see, `before` what they saw before that; else a manifest's sha256, or how it begins. */
export type StateName = 'current' | 'before' | { readonly manifest: string };

const WHOLE_DIGEST = /^[0-9a-f]{64}$/;

/**
 * Finds a state of a partition by its name: among those that its pointer names, and by a whole digest any that was written.
 * @throws Ncs4cvrError PUBLISH_NO_ROOT, PUBLISH_NOTHING when nothing was published; PUBLISH_NO_HISTORY when there is no such
 * state, or more than one; PUBLISH_MANIFEST_DAMAGED
 */
export async function findState(root: string, partition: string, name: StateName): Promise<FoundState> {
  await refuseNoRoot(root);
  const { pointer } = await readPointer(root, partition);
  const stateOf = async (named: Pick<Publication, 'manifest' | 'sha256'>): Promise<FoundState> => ({
    root,
    partition,
    sha256: named.sha256,
    manifest: await readManifest(root, named),
    publication: publicationsOf(pointer).find(({ sha256 }) => sha256 === named.sha256),
    isCurrent: pointer?.current.sha256 === named.sha256,
    generation: pointer?.generation ?? 0,
  });
  if (typeof name === 'object' && WHOLE_DIGEST.test(name.manifest)) {
    const path = manifestPath(partition, name.manifest);
    if ((await storageFor(root).stat(below(root, path))) !== undefined) {
      return stateOf({ manifest: path, sha256: name.manifest });
    }
  }
  const file = below(root, pointerPath(partition));
  if (pointer === undefined) {
    throw new Ncs4cvrError('PUBLISH_NOTHING', 'nothing was ever published for this partition', { file });
  }
  const publications = publicationsOf(pointer);
  const matching =
    name === 'current'
      ? [pointer.current]
      : name === 'before'
        ? pointer.history.slice(0, 1)
        : publications.filter(({ sha256 }) => sha256.startsWith(name.manifest));
  if (matching.length === 1) return stateOf(matching[0]!);
  const summary =
    name === 'before'
      ? 'this partition has been published once: there is no state before'
      : matching.length === 0
        ? 'there is no such state of this partition'
        : 'more than one state begins like this';
  throw new Ncs4cvrError('PUBLISH_NO_HISTORY', summary, {
    file,
    ...(typeof name === 'string' ? {} : { expected: name.manifest }),
    found: publications.map(({ sha256, model }) => `${sha256.slice(0, 12)} (${model.version})`).join(', '),
  });
}

function publicationsOf(pointer: Pointer | undefined): readonly Publication[] {
  return pointer === undefined ? [] : [pointer.current, ...pointer.history];
}
