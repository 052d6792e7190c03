import { PassThrough } from 'node:stream';
import { StorageError } from '../base/errors.ts';
import { encryptionHeaders, openS3 } from './s3Client.ts';
import { isConditionFailure, s3Error } from './s3Error.ts';
import type { AtomicFile, CreateOptions, FileStat } from './storage.ts';
import { parseS3Uri } from './uri.ts';

/** Up to 10,000 pieces of this size: objects of 156 GiB. One piece is sent at a time by each of two slots. */
const PIECE_BYTES = 16 * 2 ** 20;
const PIECES_AT_A_TIME = 2;

/**
 * Starts an object. Small ones are one PUT, others a multipart upload: either way the object appears whole at `commit`.
 * An upload that fails is aborted; one whose process dies is removed by the bucket's lifecycle rule.
 */
export async function createS3File(
  uri: string,
  { ifAbsent = false, pieceBytes = PIECE_BYTES }: CreateOptions = {},
): Promise<AtomicFile> {
  const { bucket, key } = parseS3Uri(uri);
  if (key === '' || key.endsWith('/')) {
    throw new StorageError('STORAGE_NOT_A_FILE', 'a folder is in the way', { file: uri, expected: 'a key' });
  }
  const { sdk, client } = await openS3();
  const body = new PassThrough({ highWaterMark: PIECE_BYTES });
  // Its errors are the upload's, which reports them.
  body.on('error', () => {});
  const upload = new sdk.Upload({
    client,
    params: {
      Bucket: bucket,
      Key: key,
      Body: body,
      ...encryptionHeaders(),
      // S3 checks it where the object appears: at the PUT, or when the upload is completed.
      ...(ifAbsent ? { IfNoneMatch: '*' } : {}),
    },
    partSize: pieceBytes,
    queueSize: PIECES_AT_A_TIME,
    leavePartsOnError: false,
  });
  return new S3AtomicFile(uri, body, upload, ifAbsent);
}

/** What is used of lib-storage's Upload. */
interface RunningUpload {
  done(): Promise<{ readonly ETag?: string | undefined }>;
  abort(): Promise<void>;
}

class S3AtomicFile implements AtomicFile {
  readonly uri: string;
  readonly #body: PassThrough;
  readonly #upload: RunningUpload;
  readonly #ifAbsent: boolean;
  #done: ReturnType<RunningUpload['done']> | undefined;
  #sizeBytes = 0;
  #failure: unknown;
  #state: 'open' | 'committed' | 'aborted' = 'open';

  constructor(uri: string, body: PassThrough, upload: RunningUpload, ifAbsent: boolean) {
    this.uri = uri;
    this.#body = body;
    this.#upload = upload;
    this.#ifAbsent = ifAbsent;
  }

  /** Appends. `bytes` may be reused once the promise resolves; await it before the next call. */
  async write(bytes: Uint8Array): Promise<void> {
    this.#refuseUnlessOpen();
    this.#start();
    if (bytes.length === 0) return;
    this.#sizeBytes += bytes.length;
    // The stream keeps chunks beyond this call.
    const isReady = this.#body.write(Uint8Array.prototype.slice.call(bytes));
    if (!isReady && this.#failure === undefined) {
      await Promise.race([new Promise((resolve) => this.#body.once('drain', resolve)), this.#done]).catch(
        () => undefined,
      );
    }
    if (this.#failure !== undefined) throw s3Error(this.#failure, this.uri, 'STORAGE_WRITE_FAILED');
  }

  async commit(): Promise<FileStat | undefined> {
    this.#refuseUnlessOpen();
    this.#start();
    this.#body.end();
    try {
      const { ETag } = await this.#done!;
      this.#state = 'committed';
      return { sizeBytes: this.#sizeBytes, version: ETag! };
    } catch (error) {
      if (this.#ifAbsent && isConditionFailure(error)) {
        this.#state = 'committed';
        return undefined;
      }
      throw s3Error(error, this.uri, 'STORAGE_WRITE_FAILED');
    }
  }

  async abort(): Promise<void> {
    if (this.#state !== 'open') return;
    this.#state = 'aborted';
    if (this.#done === undefined) return;
    await this.#upload.abort();
    this.#body.destroy();
    await this.#done.catch(() => undefined);
  }

  #start(): void {
    if (this.#done !== undefined) return;
    this.#done = this.#upload.done();
    this.#done.catch((error: unknown) => {
      this.#failure = error;
    });
  }

  #refuseUnlessOpen(): void {
    if (this.#state === 'open') return;
    throw new StorageError('STORAGE_WRITE_FAILED', `the file was ${this.#state} before`, { file: this.uri });
  }
}
