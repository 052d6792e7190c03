import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { diskError } from './diskError.ts';
import { versionTag } from './diskFile.ts';
import type { ListedFile } from './storage.ts';
import { diskPath, joinPath, uriScheme } from './uri.ts';

/** Of files being written, and of the locks of replacements. */
const TEMPORARY = /^\..+\.(tmp|lock)$/;

/**
 * Temporary files that killed writers have left below a folder on disk, and those of writers that are still at work: tell
 * them apart by their age. S3 has none; its bucket's lifecycle rule ends uploads. Links aren't followed.
 */
export async function listTemporaryFiles(uri: string): Promise<ListedFile[]> {
  if (uriScheme(uri) === 's3') return [];
  const found: ListedFile[] = [];
  const walk = async (relativeFolder: string): Promise<void> => {
    const entries = await readdir(join(diskPath(uri), relativeFolder), { withFileTypes: true });
    for (const entry of entries) {
      const relativePath = relativeFolder === '' ? entry.name : `${relativeFolder}/${entry.name}`;
      if (entry.isDirectory()) await walk(relativePath);
      else if (entry.isFile() && TEMPORARY.test(entry.name)) {
        const stats = await stat(join(diskPath(uri), relativePath), { bigint: true }).catch(() => undefined);
        // Gone: its writer has finished.
        if (stats === undefined) continue;
        found.push({
          uri: joinPath(uri, relativePath),
          relativePath,
          sizeBytes: Number(stats.size),
          version: versionTag(stats),
          modifiedMillis: Number(stats.mtimeNs / 1_000_000n),
        });
      }
    }
  };
  try {
    await walk('');
  } catch (error) {
    throw diskError(error, uri, 'STORAGE_READ_FAILED');
  }
  return found.sort((a, b) => Buffer.compare(Buffer.from(a.relativePath), Buffer.from(b.relativePath)));
}
