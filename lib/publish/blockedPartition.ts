import { z } from 'zod';
import { encodeJson } from '../base/jsonDocument.ts';
import { storageFor } from '../storage/openStorage.ts';
import { writeIfUnchanged } from '../storage/storage.ts';
import { below, blockedPath, decodeOutputDocument, OUTPUT_FORMAT_VERSION } from './outputLayout.ts';
import { type Publication, publicationSchema, readPointer } from './pointer.ts';

const blockedPartitionSchema = z.strictObject({
  formatVersion: z.literal(OUTPUT_FORMAT_VERSION),
  partition: z.string(),
  /** What was to be published; its audit document holds every verdict. */
  publication: publicationSchema,
  /** Of the pointer that stayed as it was, 0 without one. Once it has flipped, this is history. */
  generation: z.int().min(0),
  /** Why, in words. */
  problems: z.array(z.string()).readonly(),
  /** Something else is visible, or was found to be all right as it is, since. */
  isCleared: z.boolean(),
});
/** The last publication of a partition that a gate has kept from readers. */
export type BlockedPartition = Readonly<z.infer<typeof blockedPartitionSchema>>;

interface BlockedState {
  /** Undefined where nothing was ever blocked. */
  readonly blocked: BlockedPartition | undefined;
  readonly version: string | undefined;
}

export async function readBlocked(root: string, partition: string): Promise<BlockedState> {
  const uri = below(root, blockedPath(partition));
  const found = await storageFor(uri).readVersioned(uri);
  if (found === undefined) return { blocked: undefined, version: undefined };
  const blocked = decodeOutputDocument(
    found.bytes,
    blockedPartitionSchema,
    'note of a blocked partition',
    uri,
  );
  return { blocked, version: found.version };
}

/** What is blocked now: nothing any more once the pointer has flipped. @param generation of the pointer, 0 without one */
export async function blockedNow(
  root: string,
  partition: string,
  generation: number,
): Promise<BlockedPartition | undefined> {
  const { blocked } = await readBlocked(root, partition);
  return blocked !== undefined && isInForce(blocked, generation) ? blocked : undefined;
}

function isInForce(blocked: BlockedPartition, generation: number): boolean {
  return !blocked.isCleared && blocked.generation === generation;
}

/**
 * Notes that a publication is blocked. The same attempt again writes the same note, and so nothing.
 * @returns undefined when somebody else has changed the note meanwhile, or the pointer: look again
 */
export async function noteBlocked(
  root: string,
  partition: string,
  publication: Publication,
  generation: number,
  problems: readonly string[],
): Promise<BlockedPartition | undefined> {
  const note: BlockedPartition = {
    formatVersion: OUTPUT_FORMAT_VERSION,
    partition,
    publication,
    generation,
    problems,
    isCleared: false,
  };
  const { blocked, version } = await readBlocked(root, partition);
  if (blocked === undefined || !isSame(blocked, note)) {
    const uri = below(root, blockedPath(partition));
    const written = await writeIfUnchanged(storageFor(uri), uri, encodeJson(note), version);
    if (written === undefined) return undefined;
  }
  const { pointer } = await readPointer(root, partition);
  return (pointer?.generation ?? 0) === generation ? note : undefined;
}

/** What is visible is what the input holds: whatever was blocked before isn't wanted any more. */
export async function clearBlocked(root: string, partition: string, generation: number): Promise<void> {
  const { blocked, version } = await readBlocked(root, partition);
  if (blocked === undefined || !isInForce(blocked, generation)) return;
  const uri = below(root, blockedPath(partition));
  // Who has changed it meanwhile knows better.
  await writeIfUnchanged(storageFor(uri), uri, encodeJson({ ...blocked, isCleared: true }), version);
}

function isSame(a: BlockedPartition, b: BlockedPartition): boolean {
  return Buffer.compare(encodeJson(a), encodeJson(blockedPartitionSchema.parse(b))) === 0;
}
