import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { type FileHandle, link, open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { StorageError } from '../base/errors.ts';
import { diskError } from './diskError.ts';
import { versionTag } from './diskFile.ts';
import { makeFolder } from './diskFolder.ts';
import type { AtomicFile, CreateOptions, FileStat } from './storage.ts';
import { diskPath } from './uri.ts';

/**
 * Starts a file under a hidden temporary name in its final folder (which is made), so that `commit` is one rename
 * within a file system. A process that dies leaves at most `.<name>.<uuid>.tmp`.
 */
export async function createDiskFile(
  uri: string,
  { ifAbsent = false }: CreateOptions = {},
): Promise<AtomicFile> {
  const path = diskPath(uri);
  const temporary = temporaryPath(path);
  try {
    await makeFolder(dirname(path), uri);
    await refuseFolder(path, uri);
    return new DiskAtomicFile(uri, path, temporary, await open(temporary, 'wx'), ifAbsent);
  } catch (error) {
    throw diskError(error, uri, 'STORAGE_WRITE_FAILED');
  }
}

/** Of this thread's writers at work. */
const atWork = new Set<string>();

/** Hidden, in the folder of the file that it will become. Forgotten by `forgetTemporary`. */
export function temporaryPath(path: string): string {
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
  atWork.add(temporary);
  return temporary;
}

export function forgetTemporary(temporary: string): void {
  atWork.delete(temporary);
}

/** Before the process ends by a signal. Never throws: what can't be removed is left to `gc`. */
export function removeTemporaryFiles(): void {
  for (const temporary of atWork) {
    try {
      rmSync(temporary, { force: true });
    } catch {
      // The line that the user is told next matters more.
    }
  }
}

/** Told before the work is done, not at the rename. */
async function refuseFolder(path: string, uri: string): Promise<void> {
  const stats = await stat(path).catch(() => undefined);
  if (stats?.isDirectory()) {
    throw new StorageError('STORAGE_NOT_A_FILE', 'a folder is in the way', { file: uri, expected: 'a file' });
  }
}

class DiskAtomicFile implements AtomicFile {
  readonly uri: string;
  readonly #path: string;
  readonly #temporaryPath: string;
  readonly #handle: FileHandle;
  readonly #ifAbsent: boolean;
  #state: 'open' | 'committed' | 'aborted' = 'open';

  constructor(uri: string, path: string, temporaryPath: string, handle: FileHandle, ifAbsent: boolean) {
    this.uri = uri;
    this.#path = path;
    this.#temporaryPath = temporaryPath;
    this.#handle = handle;
    this.#ifAbsent = ifAbsent;
  }

  /** Appends. `bytes` may be reused once the promise resolves; await it before the next call. */
  async write(bytes: Uint8Array): Promise<void> {
    this.#refuseUnlessOpen();
    try {
      for (let at = 0; at < bytes.length; ) {
        at += (await this.#handle.write(bytes, at, bytes.length - at)).bytesWritten;
      }
    } catch (error) {
      throw diskError(error, this.uri, 'STORAGE_WRITE_FAILED');
    }
  }

  async commit(): Promise<FileStat | undefined> {
    this.#refuseUnlessOpen();
    try {
      // Without it, a power cut after the rename could leave the final name on an empty file.
      await this.#handle.sync();
      const isCreated = this.#ifAbsent ? await this.#linkIfAbsent() : true;
      if (!this.#ifAbsent) await rename(this.#temporaryPath, this.#path);
      this.#state = 'committed';
      // After the file has got its name: that changes the version.
      const stats = await this.#handle.stat({ bigint: true });
      await this.#handle.close();
      forgetTemporary(this.#temporaryPath);
      await syncFolder(dirname(this.#path));
      return isCreated ? { sizeBytes: Number(stats.size), version: versionTag(stats) } : undefined;
    } catch (error) {
      throw diskError(error, this.uri, 'STORAGE_WRITE_FAILED');
    }
  }

  async abort(): Promise<void> {
    if (this.#state !== 'open') return;
    this.#state = 'aborted';
    try {
      await this.#handle.close();
      await rm(this.#temporaryPath, { force: true });
      forgetTemporary(this.#temporaryPath);
    } catch (error) {
      throw diskError(error, this.uri, 'STORAGE_WRITE_FAILED');
    }
  }

  /** A link fails where there is a file, a rename wouldn't. */
  async #linkIfAbsent(): Promise<boolean> {
    try {
      await link(this.#temporaryPath, this.#path);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      return false;
    } finally {
      await rm(this.#temporaryPath, { force: true });
    }
  }

  #refuseUnlessOpen(): void {
    if (this.#state === 'open') return;
    throw new StorageError('STORAGE_WRITE_FAILED', `the file was ${this.#state} before`, { file: this.uri });
  }
}

/** Makes the rename itself durable. Some platforms and network file systems can't sync a folder. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  try {
    await handle?.sync();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (!['EINVAL', 'EPERM', 'EISDIR', 'ENOTSUP', 'EBADF'].includes(code ?? '')) throw error;
  } finally {
    await handle?.close();
  }
}
