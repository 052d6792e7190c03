import { mkdir, rmdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { StorageError } from '../base/errors.ts';
import { diskError } from './diskError.ts';
import { diskPath, uriScheme } from './uri.ts';

/**
 * Makes the folder of a file that is to be written.
 * @param uri of the file
 * @throws StorageError that names what is in the way, where it is no matter of rights or room
 */
export async function makeFolder(folder: string, uri: string): Promise<void> {
  try {
    await makeWithParents(folder);
  } catch (error) {
    const obstacle = await fileInTheWay(folder);
    if (obstacle === undefined) throw diskError(error, uri, 'STORAGE_WRITE_FAILED');
    throw new StorageError('STORAGE_WRITE_FAILED', `the folder ${folder} can't be made`, {
      file: uri,
      expected: `${obstacle} to be a folder`,
      found: 'a file',
      cause: error,
    });
  }
}

/**
 * Does something that may make a folder, and takes that folder and those above it away again, as far as they weren't there before
 * and are empty. On S3 there are none.
 */
export async function withoutNewFolders(folderUri: string, work: () => Promise<void>): Promise<void> {
  const missing = uriScheme(folderUri) === 's3' ? [] : await missingFolders(resolve(diskPath(folderUri)));
  try {
    await work();
  } finally {
    for (const folder of missing) {
      // One that somebody else has put something into stays, and so do those above it.
      const isGone = await rmdir(folder).then(
        () => true,
        () => false,
      );
      if (!isGone) break;
    }
  }
}

/** The folder and those above it that aren't there, the innermost first. */
async function missingFolders(folder: string): Promise<string[]> {
  const isThere = await stat(folder).then(
    () => true,
    () => false,
  );
  return isThere || dirname(folder) === folder ? [] : [folder, ...(await missingFolders(dirname(folder)))];
}

/** Undefined where all that is there of the path are folders, or where nobody may look. */
async function fileInTheWay(folder: string): Promise<string | undefined> {
  const stats = await stat(folder).catch(() => undefined);
  if (stats !== undefined) return stats.isDirectory() ? undefined : folder;
  return dirname(folder) === folder ? undefined : fileInTheWay(dirname(folder));
}

/**
 * Makes a folder and those above it, unless they are there. One by one: Node's recursive call never returns where a file system
 * says that a folder isn't there which it won't make (/proc), and says the same of one that is read-only.
 * @throws Error of Node, with the cause in its code
 */
async function makeWithParents(folder: string): Promise<void> {
  try {
    await makeOne(folder);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' || dirname(folder) === folder) throw error;
    await makeWithParents(dirname(folder));
    await makeOne(folder);
  }
}

async function makeOne(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    // A file of that name is in the way.
    if (codeOf(error) !== 'EEXIST' || !(await stat(folder)).isDirectory()) throw error;
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
