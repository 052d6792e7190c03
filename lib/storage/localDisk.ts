import { statSync } from 'node:fs';
import { readdir, readFile, realpath, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { StorageError } from '../base/errors.ts';
import { callDirectly } from './directCalls.ts';
import { createDiskFile } from './diskAtomicFile.ts';
import { createDiskFileIfAbsent, replaceDiskFileIfVersion } from './diskConditionalWrite.ts';
import { diskError } from './diskError.ts';
import { openDiskFile, type VersionedStatus, versionTag } from './diskFile.ts';
import type { DatedStat, FileStat, ListedFile, OnUnlistable, Storage } from './storage.ts';
import { isHidden } from './storage.ts';
import { diskPath, joinPath } from './uri.ts';

/**
 * The local disk, by plain paths (relative ones start at the working folder) or `file://` URIs.
 *
 * Throws StorageError: STORAGE_NOT_FOUND, STORAGE_NOT_A_FILE, STORAGE_ACCESS_DENIED, STORAGE_FULL,
 * STORAGE_READ_FAILED, STORAGE_WRITE_FAILED, STORAGE_SHORT_READ, STORAGE_FILE_CHANGED, STORAGE_LOCKED,
 * STORAGE_NAME_INVALID, STORAGE_SCHEME_UNSUPPORTED, STORAGE_URI_INVALID.
 */
export const localDisk: Storage = {
  open: openDiskFile,
  createAtomic: createDiskFile,
  createIfAbsent: createDiskFileIfAbsent,
  replaceIfVersion: replaceDiskFileIfVersion,

  async list(uri, onUnlistable) {
    const path = diskPath(uri);
    try {
      const stats = await stat(path, { bigint: true });
      if (stats.isFile()) return [{ uri, relativePath: basename(path), ...datedStat(stats) }];
      const files: ListedFile[] = [];
      if (!stats.isDirectory()) throw neitherFileNorFolder(uri);
      const uriOf = (relativePath: string) => joinPath(uri, relativePath);
      await listFolder({ root: path, uriOf, files, onUnlistable }, '', new Set());
      return files.sort((a, b) => Buffer.compare(Buffer.from(a.relativePath), Buffer.from(b.relativePath)));
    } catch (error) {
      throw diskError(error, uri, 'STORAGE_READ_FAILED');
    }
  },

  async listFolders(uri, onFile) {
    const path = diskPath(uri);
    const folders: string[] = [];
    try {
      for (const entry of await readdir(path, { withFileTypes: true })) {
        if (
          entry.isDirectory() ||
          (entry.isSymbolicLink() && (await leadsToFolder(join(path, entry.name))))
        ) {
          folders.push(entry.name);
        } else onFile?.(entry.name);
      }
    } catch (error) {
      return undefinedIfMissing(diskError(error, uri, 'STORAGE_READ_FAILED')) ?? [];
    }
    return folders.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  },

  async readWhole(uri) {
    try {
      const buffer = await readFile(diskPath(uri));
      // A plain Uint8Array: Buffer's slice() shares memory where callers expect a copy.
      return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
    } catch (error) {
      throw diskError(error, uri, 'STORAGE_READ_FAILED');
    }
  },

  async stat(uri) {
    try {
      const stats = await stat(diskPath(uri), { bigint: true });
      return stats.isFile() ? fileStat(stats) : undefined;
    } catch (error) {
      return undefinedIfMissing(diskError(error, uri, 'STORAGE_READ_FAILED'));
    }
  },

  async readVersioned(uri) {
    try {
      const file = await openDiskFile(uri);
      try {
        const bytes = new Uint8Array(file.sizeBytes);
        await file.readInto(bytes, 0);
        return { bytes, version: file.version };
      } finally {
        await file.close();
      }
    } catch (error) {
      return undefinedIfMissing(diskError(error, uri, 'STORAGE_READ_FAILED'));
    }
  },

  async remove(uri) {
    try {
      await rm(diskPath(uri), { force: true });
    } catch (error) {
      throw diskError(error, uri, 'STORAGE_WRITE_FAILED');
    }
  },

  async removeFolder(uri) {
    try {
      await rm(diskPath(uri), { recursive: true, force: true });
    } catch (error) {
      throw diskError(error, uri, 'STORAGE_WRITE_FAILED');
    }
  },

  async exists(uri) {
    try {
      await stat(diskPath(uri));
      return true;
    } catch (error) {
      return undefinedIfMissing(diskError(error, uri, 'STORAGE_READ_FAILED')) ?? false;
    }
  },
};

/** A link that leads nowhere is no folder; listing the files would tell of it. */
async function leadsToFolder(path: string): Promise<boolean> {
  const stats = await stat(path).catch(() => undefined);
  return stats?.isDirectory() ?? false;
}

function fileStat(stats: VersionedStatus): FileStat {
  return { sizeBytes: Number(stats.size), version: versionTag(stats) };
}

function datedStat(stats: VersionedStatus): DatedStat {
  return { ...fileStat(stats), modifiedMillis: Number(stats.mtimeNs / 1_000_000n) };
}

function undefinedIfMissing(error: StorageError): undefined {
  if (error.code !== 'STORAGE_NOT_FOUND') throw error;
}

interface Listing {
  readonly root: string;
  readonly uriOf: (relativePath: string) => string;
  readonly files: ListedFile[];
  readonly onUnlistable: OnUnlistable | undefined;
}

/** `ancestors`: real paths of the folders above, so that a symbolic link upwards ends instead of recursing. */
async function listFolder(
  listing: Listing,
  relativeFolder: string,
  ancestors: ReadonlySet<string>,
): Promise<void> {
  const folder = join(listing.root, relativeFolder);
  const real = await realpath(folder);
  if (ancestors.has(real)) return;
  const below = new Set([...ancestors, real]);
  for (const nameBytes of await readdir(folder, { encoding: 'buffer' })) {
    const name = nameBytes.toString();
    if (isHidden(name)) continue;
    const relativePath = relativeFolder === '' ? name : `${relativeFolder}/${name}`;
    try {
      if (!Buffer.from(name).equals(nameBytes)) throw nameInvalid(listing.uriOf(relativePath), nameBytes);
      await listEntry(listing, relativePath, below);
    } catch (thrown) {
      const error = diskError(thrown, listing.uriOf(relativePath), 'STORAGE_READ_FAILED');
      if (listing.onUnlistable === undefined) throw error;
      listing.onUnlistable(error.location.file!, error);
    }
  }
}

async function listEntry(
  listing: Listing,
  relativePath: string,
  ancestors: ReadonlySet<string>,
): Promise<void> {
  const uri = listing.uriOf(relativePath);
  const path = join(listing.root, relativePath);
  const stats = await callDirectly(
    () => statSync(path, { bigint: true }),
    () => stat(path, { bigint: true }),
  ).catch((cause: unknown) => {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
    throw new StorageError('STORAGE_NOT_FOUND', 'a listed file is gone or its link is broken', {
      file: uri,
      cause,
    });
  });
  if (stats.isDirectory()) await listFolder(listing, relativePath, ancestors);
  else if (stats.isFile()) listing.files.push({ uri, relativePath, ...datedStat(stats) });
  else throw neitherFileNorFolder(uri);
}

function neitherFileNorFolder(uri: string): StorageError {
  return new StorageError('STORAGE_NOT_A_FILE', 'this is neither a file nor a folder', {
    file: uri,
    expected: 'a file or a folder',
    found: 'a device, pipe or socket',
  });
}

/** No text names such a file. Its bytes beyond ASCII are shown as `\xff`. */
function nameInvalid(uri: string, name: Buffer): StorageError {
  const shown = name
    .toString('latin1')
    .replace(/[^ -~]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
  return new StorageError('STORAGE_NAME_INVALID', "the file's name isn't UTF-8", {
    file: uri,
    expected: 'another name',
    found: shown,
  });
}
