// Whether what was made of files is still what would be made of them: CI's steps build and package the same sources, one after the other.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Over the names and bytes of files and of everything in folders, in the order of their names; of what isn't there, that it isn't.
 * @param paths below the root @param except names of files that are left out
 */
export function digestOfFiles(root, paths, except = []) {
  const hash = createHash('sha256');
  for (const file of paths.flatMap((path) => filesOf(root, path))) {
    if (except.includes(file.path)) continue;
    const bytes = file.isThere ? readFileSync(join(root, file.path)) : undefined;
    hash.update(`${JSON.stringify([file.path, bytes?.length ?? null])}\n`);
    if (bytes !== undefined) hash.update(bytes);
  }
  return hash.digest('hex');
}

function filesOf(root, path) {
  const status = statSync(join(root, path), { throwIfNoEntry: false });
  if (!status?.isDirectory()) return [{ path, isThere: status !== undefined }];
  return readdirSync(join(root, path), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(join(root, '/').length))
    .sort()
    .map((file) => ({ path: file, isThere: true }));
}
