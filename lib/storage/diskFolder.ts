import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Makes a folder and those above it, unless they are there. @throws Error of Node, with the cause in its code */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    // Node says of a read-only file system that the folder isn't there. One by one, the system's own answer shows.
    await makeOneByOne(folder);
  }
}

async function makeOneByOne(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return;
    if (codeOf(error) !== 'ENOENT' || dirname(folder) === folder) throw error;
    await makeOneByOne(dirname(folder));
    await mkdir(folder);
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
