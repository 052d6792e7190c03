/** A file opened for reads by byte range. The bytes must not change while it is open. */
export interface RandomAccessFile {
  readonly uri: string;
  readonly sizeBytes: number;
  /** Identifies this version of the bytes: an S3 ETag, or modification time and size on disk. */
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
  /** Makes the whole file visible under `uri` in one step. */
  commit(): Promise<void>;
  /** Removes what was written. Safe to call after a failed commit. */
  abort(): Promise<void>;
}

export interface ListedFile {
  readonly uri: string;
  /** Path relative to the listed folder, with forward slashes; the file's name when a single file was listed. */
  readonly relativePath: string;
  readonly sizeBytes: number;
}

/** Byte storage: disk now, S3 later. URIs are plain paths or `file://` on disk. */
export interface Storage {
  open(uri: string): Promise<RandomAccessFile>;
  /** Files below a folder (any depth) or the one file, in binary order of their relative path; hidden files are left out. */
  list(uri: string): Promise<ListedFile[]>;
  readWhole(uri: string): Promise<Uint8Array>;
  createAtomic(uri: string): Promise<AtomicFile>;
  exists(uri: string): Promise<boolean>;
}
