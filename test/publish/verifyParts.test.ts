import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { sha256 } from '../../lib/base/digest.ts';
import { below, partPath } from '../../lib/publish/outputLayout.ts';
import { type PublishedParts, verifyParts } from '../../lib/publish/verifyParts.ts';
import { writeWhole } from '../../lib/storage/openStorage.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const root = temporaryFolder();
/** Two parts of a partition of its own, the first larger than what is read at a time. */
async function published(partition: string): Promise<{ manifest: PublishedParts; paths: string[] }> {
  const parts = await Promise.all(
    [9_000_000, 50].map(async (sizeBytes, index) => {
      const bytes = Buffer.alloc(sizeBytes, `part ${index}`);
      const path = partPath(partition, `part-${index}`);
      await writeWhole(below(root, path), bytes);
      return { path, sizeBytes, sha256: sha256(bytes) };
    }),
  );
  return { manifest: { partition, parts }, paths: parts.map(({ path }) => below(root, path)) };
}

it('finds nothing wrong with parts as they were published', async () => {
  await verifyParts(root, (await published('dt=1')).manifest);
});

it('names a part with one bit flipped, of the same length, by both digests', async () => {
  const { manifest, paths } = await published('dt=2');
  const bytes = readFileSync(paths[0]!);
  bytes[8_999_000]! ^= 4;
  writeFileSync(paths[0]!, bytes);
  await expect(verifyParts(root, manifest)).rejects.toMatchObject({
    code: 'PUBLISH_PART_DAMAGED',
    problems: [
      `${manifest.parts[0]!.path}: expected sha256 ${manifest.parts[0]!.sha256}, found ${sha256(bytes)}`,
    ],
  });
});

it('names all parts that are gone or have another length', async () => {
  const { manifest, paths } = await published('dt=3');
  rmSync(paths[0]!);
  writeFileSync(paths[1]!, 'short');
  await expect(verifyParts(root, manifest)).rejects.toMatchObject({
    code: 'PUBLISH_PART_DAMAGED',
    problems: [expect.stringContaining('it is gone'), expect.stringContaining('expected 50 bytes, found 5')],
  });
});
