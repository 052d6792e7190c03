import { type BigIntStats, fstatSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { StorageError } from '../base/errors.ts';
import { diskError } from './diskError.ts';
import type { FileStat, RandomAccessFile } from './storage.ts';
import { diskPath } from './uri.ts';

/** fs.read takes at most 2^31 - 1 bytes. */
const MAX_READ_BYTES = 2 ** 30;

/**
 * Opens a file on disk for reads by byte range, as `Storage.open`. Every read checks that the version is still the same.
 */
export async function openDiskFile(uri: string, known?: FileStat): Promise<RandomAccessFile> {
  const path = diskPath(uri);
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, 'r');
    const stats = statOf(handle);
    // Opening a pipe or device would hang or give a size of 0.
    if (!stats.isFile()) throw notAFile(uri, stats.isDirectory() ? 'a folder' : 'a device or pipe');
    const version = versionTag(stats);
    if (known !== undefined && known.version !== version) throw changed(uri, known.version, version);
    return new DiskFile(uri, stats, handle);
  } catch (error) {
    await handle?.close();
    throw diskError(error, uri, 'STORAGE_READ_FAILED');
  }
}

/**
 * Of an open file, without a detour over the thread pool: that takes a hundred times as long as the call, and every read of
 * every shard makes one.
 */
function statOf(handle: FileHandle): BigIntStats {
  return fstatSync(handle.fd, { bigint: true });
}

/** What of a file's status tells one version of its bytes from another. */
export type VersionedStatus = Pick<BigIntStats, 'mtimeNs' | 'size' | 'ino' | 'ctimeNs'>;

/**
 * Modification time in nanoseconds, size, inode and change time, hexadecimal. Programs that copy or unpack set the first as they
 * like, so that another file may have it and the size too; the kernel alone sets the change time. It also changes with a name
 * or a permission: a file counts as changed too often rather than not at all.
 */
export function versionTag({ mtimeNs, size, ino, ctimeNs }: VersionedStatus): string {
  return [mtimeNs, size, ino, ctimeNs].map((number) => number.toString(16)).join('-');
}

function notAFile(uri: string, found: string): StorageError {
  return new StorageError('STORAGE_NOT_A_FILE', "this isn't a regular file", {
    file: uri,
    expected: 'a file',
    found,
  });
}

function changed(uri: string, expected: string, found: string): StorageError {
  return new StorageError('STORAGE_FILE_CHANGED', 'the file was changed since it was opened or listed', {
    file: uri,
    expected: `version ${expected}`,
    found: `version ${found}`,
    retryable: true,
  });
}

class DiskFile implements RandomAccessFile {
  readonly uri: string;
  readonly sizeBytes: number;
  readonly version: string;
  readonly #opened: BigIntStats;
  readonly #handle: FileHandle;

  constructor(uri: string, opened: BigIntStats, handle: FileHandle) {
    this.uri = uri;
    this.sizeBytes = Number(opened.size);
    this.version = versionTag(opened);
    this.#opened = opened;
    this.#handle = handle;
  }

  async readInto(target: Uint8Array, startByte: number): Promise<void> {
    // Node reads from the current position instead when a position is negative or no integer.
    if (!Number.isSafeInteger(startByte) || startByte < 0) {
      throw new StorageError('STORAGE_READ_FAILED', 'no such byte range', {
        file: this.uri,
        expected: 'a start byte of 0 or more',
        found: String(startByte),
      });
    }
    let filledBytes = 0;
    try {
      while (filledBytes < target.length) {
        const lengthBytes = Math.min(target.length - filledBytes, MAX_READ_BYTES);
        const { bytesRead } = await this.#handle.read(
          target,
          filledBytes,
          lengthBytes,
          startByte + filledBytes,
        );
        if (bytesRead === 0) break;
        filledBytes += bytesRead;
      }
      // After the read, so that bytes mixed from two versions are caught; and first, because it explains a short read.
      this.#checkUnchanged();
    } catch (error) {
      throw diskError(error, this.uri, 'STORAGE_READ_FAILED');
    }
    if (filledBytes < target.length) {
      throw new StorageError('STORAGE_SHORT_READ', 'the file ends before the range that was asked for', {
        file: this.uri,
        expected: `${target.length} bytes from byte ${startByte}`,
        found: `${filledBytes} bytes in a file of ${this.sizeBytes}`,
      });
    }
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  #checkUnchanged(): void {
    const now = statOf(this.#handle);
    const { mtimeNs, size, ctimeNs, nlink } = this.#opened;
    // A file that gets or loses a name, such as one that another was moved over, has another change time and the same bytes.
    const isSame = now.ctimeNs === ctimeNs || now.nlink !== nlink;
    if (isSame && now.mtimeNs === mtimeNs && now.size === size) return;
    throw changed(this.uri, this.version, versionTag(now));
  }
}
