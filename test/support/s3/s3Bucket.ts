import { createHash, randomUUID } from 'node:crypto';
import { S3Refusal } from './awsChunked.ts';

export interface StoredObject {
  readonly bytes: Buffer;
  /** With its quotes, as S3 sends it. */
  readonly etag: string;
  readonly lastModified: Date;
  readonly headers: Readonly<Record<string, string>>;
}

/** Conditions of a write. */
export interface WriteCondition {
  readonly ifNoneMatch?: string | undefined;
  readonly ifMatch?: string | undefined;
}

/** Sorts its keys once after a change: a listing asks for them page by page. */
class SortedObjects extends Map<string, StoredObject> {
  #sorted: { readonly key: string; readonly bytes: Buffer }[] | undefined;

  sortedKeys(): readonly { readonly key: string; readonly bytes: Buffer }[] {
    this.#sorted ??= [...this.keys()]
      .map((key) => ({ key, bytes: Buffer.from(key) }))
      .sort((a, b) => Buffer.compare(a.bytes, b.bytes));
    return this.#sorted;
  }

  override set(key: string, object: StoredObject): this {
    if (!this.has(key)) this.#sorted = undefined;
    return super.set(key, object);
  }

  override delete(key: string): boolean {
    this.#sorted = undefined;
    return super.delete(key);
  }

  override clear(): void {
    this.#sorted = undefined;
    super.clear();
  }
}

const LEAST_PART_BYTES = 5 * 2 ** 20;

/** A bucket in memory: objects, and uploads that aren't finished. */
export class S3Bucket {
  readonly objects = new SortedObjects();
  readonly uploads = new Map<
    string,
    { key: string; parts: Map<number, Buffer>; headers: Record<string, string> }
  >();

  /** @throws S3Refusal 412 when a condition fails, 404 for If-Match without an object */
  put(key: string, bytes: Buffer, headers: Record<string, string>, condition: WriteCondition): StoredObject {
    return this.#store(key, bytes, quotedMd5(bytes), headers, condition);
  }

  startUpload(key: string, headers: Record<string, string>): string {
    const id = randomUUID();
    this.uploads.set(id, { key, parts: new Map(), headers });
    return id;
  }

  putPart(uploadId: string, partNumber: number, bytes: Buffer): string {
    this.#upload(uploadId).parts.set(partNumber, bytes);
    return quotedMd5(bytes);
  }

  completeUpload(
    uploadId: string,
    parts: readonly { partNumber: number; etag: string }[],
    condition: WriteCondition,
  ): StoredObject {
    const upload = this.#upload(uploadId);
    const bodies = parts.map(({ partNumber, etag }, index) => {
      const bytes = upload.parts.get(partNumber);
      if (bytes === undefined || quotedMd5(bytes) !== etag) throw new S3Refusal(400, 'InvalidPart');
      if (index > 0 && partNumber <= parts[index - 1]!.partNumber)
        throw new S3Refusal(400, 'InvalidPartOrder');
      if (index + 1 < parts.length && bytes.length < LEAST_PART_BYTES)
        throw new S3Refusal(400, 'EntityTooSmall');
      return bytes;
    });
    const digests = Buffer.concat(bodies.map((bytes) => createHash('md5').update(bytes).digest()));
    const etag = `"${createHash('md5').update(digests).digest('hex')}-${parts.length}"`;
    const stored = this.#store(upload.key, Buffer.concat(bodies), etag, upload.headers, condition);
    this.uploads.delete(uploadId);
    return stored;
  }

  abortUpload(uploadId: string): void {
    this.#upload(uploadId);
    this.uploads.delete(uploadId);
  }

  /** @throws S3Refusal 404 */
  get(key: string): StoredObject {
    const found = this.objects.get(key);
    if (found === undefined) throw new S3Refusal(404, 'NoSuchKey');
    return found;
  }

  /** As `keysAfter`, all of them. */
  keys(prefix: string, startAfter: string): string[] {
    return [...this.keysAfter(prefix, startAfter)];
  }

  /** Keys with a prefix after `startAfter`, in the order of their UTF-8 bytes. */
  *keysAfter(prefix: string, startAfter: string): Generator<string> {
    const after = Buffer.from(startAfter);
    const from = Buffer.from(prefix);
    const sorted = this.objects.sortedKeys();
    let low = 0;
    for (let high = sorted.length; low < high; ) {
      const middle = (low + high) >> 1;
      const { bytes } = sorted[middle]!;
      if (Buffer.compare(bytes, after) > 0 && Buffer.compare(bytes, from) >= 0) high = middle;
      else low = middle + 1;
    }
    for (; low < sorted.length && sorted[low]!.key.startsWith(prefix); low++) yield sorted[low]!.key;
  }

  #upload(id: string) {
    const upload = this.uploads.get(id);
    if (upload === undefined) throw new S3Refusal(404, 'NoSuchUpload');
    return upload;
  }

  #store(
    key: string,
    bytes: Buffer,
    etag: string,
    headers: Record<string, string>,
    { ifNoneMatch, ifMatch }: WriteCondition,
  ): StoredObject {
    const current = this.objects.get(key);
    if (ifNoneMatch !== undefined && ifNoneMatch !== '*') throw new S3Refusal(501, 'NotImplemented');
    if (ifNoneMatch === '*' && current !== undefined) throw new S3Refusal(412, 'PreconditionFailed');
    if (ifMatch !== undefined && current === undefined) throw new S3Refusal(404, 'NoSuchKey');
    if (ifMatch !== undefined && unquoted(ifMatch) !== unquoted(current!.etag))
      throw new S3Refusal(412, 'PreconditionFailed');
    const stored = { bytes, etag, lastModified: new Date(), headers };
    this.objects.set(key, stored);
    return stored;
  }
}

const unquoted = (etag: string) => etag.replaceAll('"', '');

function quotedMd5(bytes: Buffer): string {
  return `"${createHash('md5').update(bytes).digest('hex')}"`;
}
