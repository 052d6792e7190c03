import { Ncs4cvrError } from '../base/errors.ts';
import { listIfAny, storageFor } from '../storage/openStorage.ts';
import { folderUri, joinUri, uriScheme } from '../storage/uri.ts';
import { type BlockedPartition, blockedNow } from './blockedPartition.ts';
import { type Manifest, readManifest } from './manifest.ts';
import { isSameModel } from './modelIdentity.ts';
import { below, pointerPath } from './outputLayout.ts';
import { type Pointer, readPointer } from './pointer.ts';
import type { RunPlan } from './runPlan.ts';

/**
 * Tells a root that nobody has written to yet from a name that was mistyped.
 * @throws Ncs4cvrError PUBLISH_NO_ROOT for one that doesn't exist; on S3, where folders don't, for one without an object
 */
export async function refuseNoRoot(root: string): Promise<void> {
  const storage = storageFor(root);
  const isFile = uriScheme(root) !== 's3' && (await storage.stat(root)) !== undefined;
  if (!isFile && (await storage.exists(folderUri(root)))) return;
  throw new Ncs4cvrError('PUBLISH_NO_ROOT', 'there is no such output root', {
    file: root,
    expected: 'the root that scores are published below',
    found: isFile ? 'a file' : 'nothing',
  });
}

/** A partition of which a document is damaged that tells what is visible or blocked. */
export interface DamagedPartition {
  readonly partition: string;
  /** With code and file. */
  readonly damage: string;
}

/** @throws what is no damage of one partition's documents */
export function damagedPartition(partition: string, error: unknown): DamagedPartition {
  const isDamage = error instanceof Ncs4cvrError && error.code === 'PUBLISH_DOCUMENT_INVALID';
  if (!isDamage) throw error;
  return { partition, damage: error.message };
}

type OnDamaged = (damaged: DamagedPartition) => void;

/**
 * Every partition's pointer, in binary order of the partitions.
 * @param onDamaged is told of those that can't be read; without it, they are an error
 * @throws Ncs4cvrError PUBLISH_NO_ROOT
 */
export async function publicationStatus(root: string, onDamaged?: OnDamaged): Promise<Pointer[]> {
  await refuseNoRoot(root);
  return readEach(joinUri(root, 'pointers'), onDamaged, async (partition) => {
    return (await readPointer(root, partition)).pointer;
  });
}

/** What gates keep from readers now, as `publicationStatus`. */
export async function blockedPartitions(root: string, onDamaged?: OnDamaged): Promise<BlockedPartition[]> {
  await refuseNoRoot(root);
  return readEach(joinUri(root, 'blocked'), onDamaged, async (partition) => {
    const { pointer } = await readPointer(root, partition);
    return blockedNow(root, partition, pointer?.generation ?? 0);
  });
}

/** @param folder of documents that are named after their partitions */
async function readEach<T>(
  folder: string,
  onDamaged: OnDamaged | undefined,
  read: (partition: string) => Promise<T | undefined>,
): Promise<T[]> {
  const found: T[] = [];
  for (const { relativePath } of await listIfAny(folder)) {
    const partition = relativePath.replace(/\.json$/, '');
    try {
      const one = await read(partition);
      if (one !== undefined) found.push(one);
    } catch (error) {
      const damaged = damagedPartition(partition, error);
      if (onDamaged === undefined) throw error;
      onDamaged(damaged);
    }
  }
  return found;
}

/** What a reader of a partition sees: two GETs. @throws Ncs4cvrError PUBLISH_NOTHING, PUBLISH_MANIFEST_DAMAGED */
export async function resolvePartition(
  root: string,
  partition: string,
): Promise<{ readonly pointer: Pointer; readonly manifest: Manifest }> {
  const { pointer } = await readPointer(root, partition);
  if (pointer !== undefined) return { pointer, manifest: await readManifest(root, pointer.current) };
  throw new Ncs4cvrError('PUBLISH_NOTHING', 'nothing was ever published for this partition', {
    file: below(root, pointerPath(partition)),
  });
}

/** What readers see of a partition that was planned. */
export interface VisibleState {
  readonly partition: string;
  /** Null for a partition that was never published. */
  readonly pointer: Pointer | null;
  /** Are they scores of the plan's model, and not held? */
  readonly isAsPlanned: boolean;
}

/** The outcome of a plan that was run elsewhere, in the plan's order. */
export async function visibleStates({ root, model, partitions }: RunPlan): Promise<VisibleState[]> {
  const states: VisibleState[] = [];
  for (const { partition } of partitions) {
    const { pointer = null } = await readPointer(root, partition);
    const isAsPlanned =
      pointer !== null && pointer.hold === null && isSameModel(pointer.current.model, model);
    states.push({ partition, pointer, isAsPlanned });
  }
  return states;
}
