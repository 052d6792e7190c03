import { SequentialFile } from '../arrow/sequentialFile.ts';
import { ProblemsError } from '../base/errors.ts';
import { mapConcurrently } from '../base/mapConcurrently.ts';
import { listIfAny, storageFor } from '../storage/openStorage.ts';
import type { Manifest } from './manifest.ts';
import { below, partFolder } from './outputLayout.ts';

const PIECE_BYTES = 8 * 1024 * 1024;
const PARTS_AT_A_TIME = 4;

/** As much of a manifest as tells the parts' bytes. */
export interface PublishedParts extends Pick<Manifest, 'partition'> {
  readonly parts: readonly Pick<Manifest['parts'][number], 'path' | 'sizeBytes' | 'sha256'>[];
}

/**
 * Reads every part of a published partition back and compares it with its digest. That a part is done, a run takes from a
 * listing, which tells its length and not its bytes.
 * @throws ProblemsError PUBLISH_PART_DAMAGED with every part that is gone, or has other bytes than were published; StorageError
 */
export async function verifyParts(root: string, { partition, parts }: PublishedParts): Promise<void> {
  const found = await mapConcurrently(parts, PARTS_AT_A_TIME, async ({ path, sizeBytes, sha256 }) => {
    const uri = below(root, path);
    const storage = storageFor(uri);
    const known = await storage.stat(uri);
    if (known?.sizeBytes !== sizeBytes) return otherLength(path, sizeBytes, known?.sizeBytes);
    const file = new SequentialFile(await storage.open(uri, known), PIECE_BYTES);
    try {
      const digest = await file.digest();
      return digest === sha256 ? undefined : `${path}: expected sha256 ${sha256}, found ${digest}`;
    } finally {
      await file.close();
    }
  });
  refuseDamaged(root, { partition, parts }, found);
}

/**
 * As `verifyParts`, by one listing: that all parts are there with their lengths. Nothing that runs or `gc` do takes away a part of a
 * state that a pointer names; what somebody has deleted, or a rule of the bucket, readers would look for in vain.
 * @throws ProblemsError PUBLISH_PART_DAMAGED
 */
export async function refuseGoneParts(root: string, { partition, parts }: PublishedParts): Promise<void> {
  const folder = partFolder(partition);
  const listed = await listIfAny(below(root, folder));
  const lengths = new Map(listed.map(({ relativePath, sizeBytes }) => [relativePath, sizeBytes]));
  const found = parts.map(({ path, sizeBytes }) =>
    otherLength(path, sizeBytes, lengths.get(path.slice(folder.length + 1))),
  );
  refuseDamaged(root, { partition, parts }, found);
}

function otherLength(path: string, expected: number, found: number | undefined): string | undefined {
  if (found === undefined) return `${path}: it is gone`;
  return found === expected ? undefined : `${path}: expected ${expected} bytes, found ${found}`;
}

function refuseDamaged(
  root: string,
  { partition, parts }: PublishedParts,
  found: readonly (string | undefined)[],
): void {
  const problems = found.filter((problem) => problem !== undefined);
  if (problems.length === 0) return;
  const summary = `${problems.length} of ${parts.length} parts of ${partition} aren't what was published`;
  throw new ProblemsError('PUBLISH_PART_DAMAGED', summary, problems, { file: root });
}
