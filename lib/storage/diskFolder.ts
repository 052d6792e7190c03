import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { StorageError } from '../base/errors.ts';
import { diskError } from './diskError.ts';

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
