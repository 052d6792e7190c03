import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { StorageError } from '../base/errors.ts';
import { callDirectly, timed } from './directCalls.ts';
import { diskError } from './diskError.ts';
import type { FileStat, RandomAccessFile } from './storage.ts';
import { diskPath } from './uri.ts';

/** fs.read takes at most 2^31 - 1 bytes. */
const MAX_READ_BYTES = 2 ** 30;
/** Files up to this size are opened and read by direct calls: what a copy out of the page cache takes no fraction of a millisecond for. */
const SMALL_FILE_BYTES = 512 * 1024;
/** A pipe that has taken the file's name isn't waited for. */
const OPEN_FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/**
 * Opens a file on disk for reads by byte range, as `Storage.open`. Every read checks that the version is still the same.
 */
export async function openDiskFile(uri: string, known?: FileStat): Promise<RandomAccessFile> {
  const path = diskPath(uri);
  let opened: OpenedFile | undefined;
  try {
    const isSmall = known !== undefined && known.sizeBytes <= SMALL_FILE_BYTES;
    opened = isSmall ? await openSmall(path) : ofHandle(await open(path, 'r'));
    const stats = statOf(opened);
    // Opening a pipe or device would hang or give a size of 0.
    if (!stats.isFile()) throw notAFile(uri, stats.isDirectory() ? 'a folder' : 'a device or pipe');
    const version = versionTag(stats);
    if (known !== undefined && known.version !== version) throw changed(uri, known.version, version);
    return new DiskFile(uri, stats, opened);
  } catch (error) {
    await opened?.close();
    throw diskError(error, uri, 'STORAGE_READ_FAILED');
  }
}

/** No file has this number, and Node refuses it. */
const CLOSED = -1;

/** A file descriptor, and how it is used. */
interface OpenedFile {
  /** `CLOSED` after `close`. */
  readonly fd: number;
  /** @returns how many bytes were read */
  read(target: Uint8Array, offset: number, lengthBytes: number, startByte: number): Promise<number>;
  close(): Promise<void>;
}

function openSmall(path: string): Promise<OpenedFile> {
  return callDirectly<OpenedFile>(
    () => ofDescriptor(openSync(path, OPEN_FLAGS)),
    async () => ofHandle(await open(path, OPEN_FLAGS)),
  );
}

function ofHandle(handle: FileHandle): OpenedFile {
  return {
    fd: handle.fd,
    read: async (target, offset, lengthBytes, startByte) =>
      (await handle.read(target, offset, lengthBytes, startByte)).bytesRead,
    close: () => handle.close(),
  };
}

/** As a `FileHandle`, it has no number once it is closed: another file may get it, to be read or closed in its place. */
function ofDescriptor(opened: number): OpenedFile {
  let fd = opened;
  return {
    get fd() {
      return fd;
    },
    read: async (target, offset, lengthBytes, startByte) =>
      timed(() => readSync(fd, target, offset, lengthBytes, startByte)),
    close: async () => {
      const closing = fd;
      fd = CLOSED;
      if (closing !== CLOSED) closeSync(closing);
    },
  };
}

/**
 * Of an open file, without a detour over the thread pool: that takes a hundred times as long as the call, and every read of
 * every shard makes one.
 */
function statOf({ fd }: OpenedFile): BigIntStats {
  return fstatSync(fd, { bigint: true });
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
  readonly #file: OpenedFile;

  constructor(uri: string, opened: BigIntStats, file: OpenedFile) {
    this.uri = uri;
    this.sizeBytes = Number(opened.size);
    this.version = versionTag(opened);
    this.#opened = opened;
    this.#file = file;
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
        const bytesRead = await this.#file.read(target, filledBytes, lengthBytes, startByte + filledBytes);
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
    await this.#file.close();
  }

  #checkUnchanged(): void {
    const now = statOf(this.#file);
    const { mtimeNs, size, ctimeNs, nlink } = this.#opened;
    // A file that gets or loses a name, such as one that another was moved over, has another change time and the same bytes.
    const isSame = now.ctimeNs === ctimeNs || now.nlink !== nlink;
    if (isSame && now.mtimeNs === mtimeNs && now.size === size) return;
    throw changed(this.uri, this.version, versionTag(now));
  }
}
