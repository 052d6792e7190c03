import type { Readable } from 'node:stream';
import { allOrFirstError } from '../base/allOrFirstError.ts';
import { StorageError } from '../base/errors.ts';
import { fillFromBody, withBodyRetries } from './s3Body.ts';
import { openS3 } from './s3Client.ts';
import { httpStatus, s3Error } from './s3Error.ts';
import type { FileStat, RandomAccessFile } from './storage.ts';
import { parseS3Uri } from './uri.ts';

/** As `Storage.open`: ranged reads of the version that the object has now, or of the known one without asking for it. */
export async function openS3File(uri: string, known?: FileStat): Promise<RandomAccessFile> {
  const { bucket, key } = parseS3Uri(uri);
  if (known !== undefined) return new S3File(uri, known.sizeBytes, known.version);
  try {
    const { sdk, client } = await openS3();
    const head = await client.send(new sdk.HeadObjectCommand({ Bucket: bucket, Key: key }));
    return new S3File(uri, head.ContentLength!, head.ETag!);
  } catch (error) {
    throw s3Error(error, uri, 'STORAGE_READ_FAILED');
  }
}

/** A connection brings some 80 MB a second: more of a range is read by several at a time. A request costs less than it saves. */
const RANGE_BYTES = 8 * 2 ** 20;
const MOST_RANGES = 8;

/** How many requests a read of so many bytes is. */
export function requestsForRead(sizeBytes: number): number {
  return Math.min(MOST_RANGES, Math.max(1, Math.floor(sizeBytes / RANGE_BYTES)));
}

class S3File implements RandomAccessFile {
  readonly uri: string;
  readonly sizeBytes: number;
  readonly version: string;

  constructor(uri: string, sizeBytes: number, version: string) {
    this.uri = uri;
    this.sizeBytes = sizeBytes;
    this.version = version;
  }

  async readInto(target: Uint8Array, startByte: number): Promise<void> {
    if (target.length === 0) return;
    if (!Number.isSafeInteger(startByte) || startByte < 0 || startByte + target.length > this.sizeBytes) {
      throw new StorageError('STORAGE_SHORT_READ', 'the object ends before the range that was asked for', {
        file: this.uri,
        expected: `${target.length} bytes from byte ${startByte}`,
        found: `an object of ${this.sizeBytes} bytes`,
      });
    }
    const count = requestsForRead(target.length);
    const rangeBytes = Math.ceil(target.length / count);
    const reads = Array.from({ length: count }, (_, index) => {
      const part = target.subarray(index * rangeBytes, (index + 1) * rangeBytes);
      return this.#readRange(part, startByte + index * rangeBytes);
    });
    await allOrFirstError(reads);
  }

  #readRange(target: Uint8Array, startByte: number): Promise<void> {
    const range = `bytes=${startByte}-${startByte + target.length - 1}`;
    return readBody(this.uri, target, { range, version: this.version });
  }

  /** Nothing is held between two reads. */
  async close(): Promise<void> {}
}

/**
 * Fills `target` with a range of an object, pinned to a version.
 * @throws StorageError STORAGE_FILE_CHANGED, STORAGE_SHORT_READ, STORAGE_READ_FAILED
 */
async function readBody(
  uri: string,
  target: Uint8Array,
  { range, version }: { range: string; version: string },
): Promise<void> {
  const { bucket, key } = parseS3Uri(uri);
  const { sdk, client } = await openS3();
  const input = { Bucket: bucket, Key: key, Range: range, IfMatch: version };
  await withBodyRetries(
    async () => {
      const { Body, ETag } = await client.send(new sdk.GetObjectCommand(input));
      // An S3 of another make may take no notice of the condition.
      if (ETag !== undefined && ETag !== version) {
        (Body as Readable).destroy();
        throw changedError(uri, version, { found: `version ${ETag}` });
      }
      await fillFromBody(target, Body as AsyncIterable<Uint8Array>, uri);
    },
    (error) => pinnedError(error, uri, version),
  );
}

function pinnedError(thrown: unknown, uri: string, version: string): StorageError {
  if (httpStatus(thrown) === 412) return changedError(uri, version, { cause: thrown });
  return s3Error(thrown, uri, 'STORAGE_READ_FAILED');
}

function changedError(
  uri: string,
  version: string,
  details: { readonly found?: string; readonly cause?: unknown },
): StorageError {
  return new StorageError('STORAGE_FILE_CHANGED', 'the object was replaced since it was opened or listed', {
    file: uri,
    expected: `version ${version}`,
    retryable: true,
    ...details,
  });
}
