import { createHash } from 'node:crypto';
import { sha256 } from '../base/digest.ts';
import { StorageError } from '../base/errors.ts';
import { storageFor } from '../storage/openStorage.ts';
import type { CreateOptions, RandomAccessFile, Storage } from '../storage/storage.ts';
import { joinPath, uriScheme } from '../storage/uri.ts';
import type { FileFacts } from './bundleManifest.ts';

/** Of one read or write: large enough that the calls cost nothing, small enough that a few may be in flight. */
export const PIECE_BYTES = 1 << 23;
/** From disk, a file that is no larger is read whole and copied to its place: that costs less than to open it here. */
const COPIED_BYTES = 1 << 16;
/** Reads at a time of one file. */
const READS_AHEAD = 4;

/** Memory that all threads can read: of any size, where a typed array of bytes ends at 4 GiB on Node 20. */
export type SharedBytes = Pick<Uint8Array<SharedArrayBuffer>, 'buffer' | 'byteOffset' | 'byteLength'>;

export function allocateShared(sizeBytes: number): SharedBytes {
  return { buffer: new SharedArrayBuffer(sizeBytes), byteOffset: 0, byteLength: sizeBytes };
}

/** A view of a part of it. */
export function sharedPart(
  { buffer, byteOffset }: SharedBytes,
  startByte: number,
  sizeBytes: number,
): Uint8Array<SharedArrayBuffer> {
  return new Uint8Array(buffer, byteOffset + startByte, sizeBytes);
}

/** A small file of a bundle as it must be; what is wrong is added to `problems`. Empty where there is none. */
export async function readVerified(
  storage: Storage,
  bundleUri: string,
  path: string,
  expected: FileFacts,
  problems: string[],
): Promise<Uint8Array> {
  const bytes = await unlessMissing(path, problems, () => storage.readWhole(joinPath(bundleUri, path)));
  if (bytes === undefined) return new Uint8Array(0);
  problems.push(...differences(path, expected, { sizeBytes: bytes.length, sha256: sha256(bytes) }));
  return bytes;
}

/**
 * As `readVerified`, for a file of any size: each byte is read once, to where other threads can read it too. On S3, a file of one
 * piece costs one request.
 * @param place for the file, if there is one already: as many bytes as expected
 */
export async function readShared(
  storage: Storage,
  bundleUri: string,
  path: string,
  expected: FileFacts,
  problems: string[],
  place?: SharedBytes,
): Promise<SharedBytes | undefined> {
  if (expected.sizeBytes <= (uriScheme(bundleUri) === 's3' ? PIECE_BYTES : COPIED_BYTES)) {
    const bytes = await unlessMissing(path, problems, () => storage.readWhole(joinPath(bundleUri, path)));
    if (bytes === undefined) return undefined;
    if (bytes.length !== expected.sizeBytes) {
      problems.push(`${path}: expected ${expected.sizeBytes} bytes, found ${bytes.length}`);
      return undefined;
    }
    problems.push(...differences(path, expected, { sizeBytes: bytes.length, sha256: sha256(bytes) }));
    const target = place ?? allocateShared(bytes.length);
    sharedPart(target, 0, bytes.length).set(bytes);
    return target;
  }
  return withFile(storage, bundleUri, path, problems, async (file) => {
    if (file.sizeBytes !== expected.sizeBytes) {
      problems.push(`${path}: expected ${expected.sizeBytes} bytes, found ${file.sizeBytes}`);
      return undefined;
    }
    const target = place ?? allocateShared(file.sizeBytes);
    const found = await readPieces(file, (startByte, size) => sharedPart(target, startByte, size));
    problems.push(...differences(path, expected, { sizeBytes: file.sizeBytes, sha256: found }));
    return target;
  });
}

/** Requests that S3 gets for a whole file of a bundle. @param isShared as `readShared` reads it */
export function requestsToRead({ sizeBytes }: FileFacts, isShared: boolean): number {
  return isShared && sizeBytes > PIECE_BYTES ? 1 + Math.ceil(sizeBytes / PIECE_BYTES) : 1;
}

/** Checks a file of any size without keeping it. */
export async function checkFile(
  storage: Storage,
  bundleUri: string,
  path: string,
  expected: FileFacts,
  problems: string[],
): Promise<void> {
  await withFile(storage, bundleUri, path, problems, async (file) => {
    const found = await readPieces(file, ringOf(file));
    problems.push(...differences(path, expected, { sizeBytes: file.sizeBytes, sha256: found }));
  });
}

/**
 * Reads a file of any size from its beginning to its end, a few pieces ahead of what is hashed.
 * @param targetOf memory for a piece, which begins at a multiple of PIECE_BYTES
 * @param onPiece is given each piece when it has been read, in order
 * @returns digest of the whole, lower-case hex
 */
async function readPieces(
  file: RandomAccessFile,
  targetOf: (startByte: number, sizeBytes: number) => Uint8Array,
  onPiece: (piece: Uint8Array) => Promise<void> | void = () => undefined,
): Promise<string> {
  const hash = createHash('sha256');
  const reading: Promise<Uint8Array>[] = [];
  let startByte = 0;
  const readNext = () => {
    if (startByte >= file.sizeBytes) return;
    const target = targetOf(startByte, Math.min(PIECE_BYTES, file.sizeBytes - startByte));
    const read = file.readInto(target, startByte).then(() => target);
    // Waited for later, in order: an error in between must not count as unhandled.
    read.catch(() => undefined);
    reading.push(read);
    startByte += PIECE_BYTES;
  };
  for (let i = 0; i < READS_AHEAD; i++) readNext();
  try {
    for (let next = reading.shift(); next !== undefined; next = reading.shift()) {
      const piece = await next;
      readNext();
      hash.update(piece);
      await onPiece(piece);
    }
  } finally {
    // The file is closed by the caller: no read may be under way then.
    await Promise.allSettled(reading);
  }
  return hash.digest('hex');
}

/** Buffers for `readPieces` that are used again: one more than are being read, which is the piece that is worked on. */
function ringOf({ sizeBytes }: RandomAccessFile): (startByte: number, sizeBytes: number) => Uint8Array {
  const count = Math.min(READS_AHEAD + 1, Math.ceil(sizeBytes / PIECE_BYTES));
  const buffers = Array.from({ length: count }, () => new Uint8Array(Math.min(PIECE_BYTES, sizeBytes)));
  return (startByte, size) => buffers[(startByte / PIECE_BYTES) % count]!.subarray(0, size);
}

/** Views of a file's bytes in memory, for `writePieces`. */
export function* piecesOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
}

/**
 * Writes a file piece by piece: it is there complete, or not at all. A piece may be memory that is used again afterwards.
 * @returns size and digest of what was written
 */
export async function writePieces(
  uri: string,
  pieces: Iterable<Uint8Array>,
  options?: CreateOptions,
): Promise<FileFacts> {
  const file = await storageFor(uri).createAtomic(uri, options);
  const hash = createHash('sha256');
  let sizeBytes = 0;
  try {
    for (const piece of pieces) {
      hash.update(piece);
      sizeBytes += piece.length;
      await file.write(piece);
    }
    await file.commit();
  } catch (error) {
    await file.abort();
    throw error;
  }
  return { sizeBytes, sha256: hash.digest('hex') };
}

/**
 * Copies a file that must be as it was verified, unless there is one already.
 * @returns what is wrong with it: nothing was written then
 */
export async function copyVerified(
  source: Storage,
  sourceUri: string,
  targetUri: string,
  path: string,
  expected: FileFacts,
): Promise<string[]> {
  const from = await source.open(joinPath(sourceUri, path));
  try {
    const uri = joinPath(targetUri, path);
    const to = await storageFor(uri).createAtomic(uri, { ifAbsent: true });
    try {
      const found = await readPieces(from, ringOf(from), (piece) => to.write(piece));
      const problems = differences(path, expected, { sizeBytes: from.sizeBytes, sha256: found });
      if (problems.length === 0) await to.commit();
      else await to.abort();
      return problems;
    } catch (error) {
      await to.abort();
      throw error;
    }
  } finally {
    await from.close();
  }
}

/** What is wrong with a file's size and digest. */
function differences(path: string, expected: FileFacts, found: FileFacts): string[] {
  return [
    ...(found.sizeBytes === expected.sizeBytes
      ? []
      : [`${path}: expected ${expected.sizeBytes} bytes, found ${found.sizeBytes}`]),
    ...(found.sha256 === expected.sha256
      ? []
      : [`${path}: expected sha256 ${expected.sha256}, found ${found.sha256}`]),
  ];
}

async function withFile<T>(
  storage: Storage,
  bundleUri: string,
  path: string,
  problems: string[],
  work: (file: RandomAccessFile) => Promise<T>,
): Promise<T | undefined> {
  const file = await unlessMissing(path, problems, () => storage.open(joinPath(bundleUri, path)));
  try {
    return file && (await work(file));
  } finally {
    await file?.close();
  }
}

/** A file that isn't there is a problem of the bundle; one that is forbidden, or out of reach for now, says nothing of it. */
async function unlessMissing<T>(
  path: string,
  problems: string[],
  read: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof StorageError) || error.code !== 'STORAGE_NOT_FOUND') throw error;
    problems.push(`${path}: ${error.message}`);
    return undefined;
  }
}
