import { Ncs4cvrError, type StorageError } from '../base/errors.ts';

/** A file opened for reads by byte range. The bytes must not change while it is open. */
export interface RandomAccessFile {
  readonly uri: string;
  readonly sizeBytes: number;
  /** Identifies this version of the bytes: an S3 ETag, or size, times and inode on disk. */
  readonly version: string;
  /**
   * Fills all of `target` with the bytes from `startByte` on, or throws StorageError
   * (STORAGE_READ_FAILED, STORAGE_SHORT_READ, STORAGE_FILE_CHANGED).
   */
  readInto(target: Uint8Array, startByte: number): Promise<void>;
  close(): Promise<void>;
}

/** A file being written that nobody can see under its final name before `commit`. */
export interface AtomicFile {
  readonly uri: string;
  write(bytes: Uint8Array): Promise<void>;
  /**
   * Makes the whole file visible under `uri` in one step.
   * @returns what was written; undefined when the file was to be written only if absent, and there is one: nothing has changed
   * then
   */
  commit(): Promise<FileStat | undefined>;
  /** Removes what was written. Safe to call after a failed commit. */
  abort(): Promise<void>;
}

export interface CreateOptions {
  /** Leave a file that is there as it is; it is replaced otherwise. */
  readonly ifAbsent?: boolean;
  /**
   * S3 gets a file in pieces of this size, up to three of which are in memory; a file that is no larger is one request. 16 MiB by
   * default, 5 MiB at least. The disk has no pieces.
   */
  readonly pieceBytes?: number;
}

/** Size and version of a file. */
export interface FileStat {
  readonly sizeBytes: number;
  /** As in `RandomAccessFile`. */
  readonly version: string;
}

export interface DatedStat extends FileStat {
  /** When this version was written, milliseconds since 1970. */
  readonly modifiedMillis: number;
}

export interface ListedFile extends DatedStat {
  readonly uri: string;
  /** Path relative to the listed folder, with forward slashes; the file's name when a single file was listed. */
  readonly relativePath: string;
}

/** Told of what a listing finds and can't look at; it goes on without it. */
export type OnUnlistable = (uri: string, error: StorageError) => void;

/** A small file with the version that its bytes had. */
export interface VersionedBytes {
  readonly bytes: Uint8Array;
  readonly version: string;
}

/** Byte storage: plain paths or `file://` URIs on disk, `s3://bucket/key` in S3. */
export interface Storage {
  /**
   * Opens a file in the version that it has now, or in one that a listing told of. With a known version, S3 gets no request
   * before the first read, which is then the one that throws STORAGE_NOT_FOUND for a file that is gone and
   * STORAGE_FILE_CHANGED for one with another version; on disk, opening throws them.
   */
  open(uri: string, known?: FileStat): Promise<RandomAccessFile>;
  /** Undefined where there is no file. */
  stat(uri: string): Promise<FileStat | undefined>;
  /**
   * Files below a folder (any depth) or the one file, in binary order of their relative path; hidden files are left out. On
   * disk, a link that leads nowhere, a folder that can't be read, a pipe or a name that isn't UTF-8 fails the listing, whose
   * rows would be missing without a word, unless the caller takes note of it.
   */
  list(uri: string, onUnlistable?: OnUnlistable): Promise<ListedFile[]>;
  /**
   * Names of the folders directly within a folder, in binary order, hidden ones among them; on S3 a request per 1,000 names
   * whatever lies below. Empty where there is no such folder.
   * @param onFile told of the names of files that lie beside them
   */
  listFolders(uri: string, onFile?: (name: string) => void): Promise<string[]>;
  readWhole(uri: string): Promise<Uint8Array>;
  /** Undefined where there is no file. */
  readVersioned(uri: string): Promise<VersionedBytes | undefined>;
  createAtomic(uri: string, options?: CreateOptions): Promise<AtomicFile>;
  /**
   * Writes a small file unless there is one: of any number of callers, one wins.
   * @returns the version written; undefined when there is a file already
   */
  createIfAbsent(uri: string, bytes: Uint8Array): Promise<string | undefined>;
  /**
   * Replaces a small file that still has the given version: of any number of callers, one wins.
   * @returns the version written; undefined when the file is gone or has another version
   */
  replaceIfVersion(uri: string, bytes: Uint8Array, version: string): Promise<string | undefined>;
  /** Is there a file, or a folder with anything in it? */
  exists(uri: string): Promise<boolean>;
  /** Removes a file; one that is gone isn't an error. */
  remove(uri: string): Promise<void>;
  /** Removes a folder and everything below, hidden files too; a folder that is gone isn't an error. */
  removeFolder(uri: string): Promise<void>;
}

/** Was the file another version than the one that was opened, listed or planned? That one won't come back. */
export function isReplacedFile(error: unknown): boolean {
  return error instanceof Ncs4cvrError && error.code === 'STORAGE_FILE_CHANGED';
}

/** Hidden files, unfinished ones (`.name.uuid.tmp`) and the markers of other engines (`_SUCCESS`, `_temporary`). */
export function isHidden(name: string): boolean {
  return name.startsWith('.') || name.startsWith('_');
}

/**
 * Writes a small file that is as it was read: still that version, or still not there. Of any number of callers, one wins.
 * @param version undefined where there was no file
 * @returns the version written; undefined when it has changed since, and nothing was written
 */
export function writeIfUnchanged(
  storage: Pick<Storage, 'createIfAbsent' | 'replaceIfVersion'>,
  uri: string,
  bytes: Uint8Array,
  version: string | undefined,
): Promise<string | undefined> {
  return version === undefined
    ? storage.createIfAbsent(uri, bytes)
    : storage.replaceIfVersion(uri, bytes, version);
}
