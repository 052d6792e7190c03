import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { checksum, decodeBody, S3Refusal } from './awsChunked.ts';
import { S3Bucket, type StoredObject, type WriteCondition } from './s3Bucket.ts';
import { escapeXml, unescapeXml } from './s3Xml.ts';

/** One request, as faults and logs see it. */
export interface S3Request {
  readonly method: string;
  readonly bucket: string;
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: NodeJS.Dict<string | string[]>;
}

/** What goes wrong with a request instead of its answer, or on the way back. */
export type S3Fault =
  | { readonly kind: 'status'; readonly status: number; readonly code: string }
  /** The bucket is in this region. */
  | { readonly kind: 'redirect'; readonly region: string }
  /** The connection is reset before the request does anything. */
  | { readonly kind: 'reset' }
  /** The work is done, the answer never arrives. */
  | { readonly kind: 'lostAnswer' }
  /** The body breaks off after this many bytes. */
  | { readonly kind: 'cut'; readonly afterBytes: number }
  | { readonly kind: 'stall'; readonly millis: number };

export interface S3DoubleOptions {
  /** A fault for a request, if it has one. */
  readonly fault?: (request: S3Request) => S3Fault | undefined;
  /** Called after every object that was created. */
  readonly onObjectCreated?: (event: { bucket: string; key: string; object: StoredObject }) => void;
  /** A range that is answered whatever was asked for. */
  readonly rangeInstead?: (request: S3Request) => { readonly startByte: number; readonly endByte: number };
  /** Whether the conditions of a request are ignored, as some stores do. */
  readonly ignoresConditions?: (request: S3Request) => boolean;
  /** What is kept of a body instead of its bytes. */
  readonly keepInstead?: (request: S3Request, bytes: Buffer) => Buffer;
  /** Headers that go over those of an answer. */
  readonly answerHeaders?: (request: S3Request) => Readonly<Record<string, string>>;
  /** Keys a page of a listing; S3 gives 1,000. */
  readonly pageSize?: number;
}

/**
 * As much of S3 over HTTP as the SDK uses with its defaults: objects with checksums, ranges and conditions, multipart
 * uploads, listings, deletes. Path style, no signatures checked, all in memory.
 */
export class S3Double {
  readonly buckets = new Map<string, S3Bucket>();
  /** Every request since the start. */
  readonly requests: S3Request[] = [];
  options: S3DoubleOptions;
  readonly #server: Server;

  private constructor(options: S3DoubleOptions) {
    this.options = options;
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => refuse(response, error));
    });
  }

  static async start(buckets: readonly string[], options: S3DoubleOptions = {}): Promise<S3Double> {
    const double = new S3Double(options);
    for (const name of buckets) double.buckets.set(name, new S3Bucket());
    await new Promise<void>((resolve) => double.#server.listen(0, '127.0.0.1', resolve));
    return double;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(incoming.url!, 'http://s3');
    const [, name = '', encodedKey = ''] = /^\/([^/]*)\/?(.*)$/s.exec(incoming.url!.split('?')[0]!) ?? [];
    const request: S3Request = {
      method: incoming.method!,
      bucket: decodeURIComponent(name),
      key: decodeURIComponent(encodedKey),
      query: url.searchParams,
      headers: incoming.headers,
    };
    this.requests.push(request);
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const fault = this.options.fault?.(request);
    if (fault?.kind === 'reset') {
      incoming.socket.destroy();
      return;
    }
    if (fault?.kind === 'status') throw new S3Refusal(fault.status, fault.code);
    if (fault?.kind === 'redirect') {
      throw new S3Refusal(301, 'PermanentRedirect', { 'x-amz-bucket-region': fault.region });
    }
    if (fault?.kind === 'stall') await new Promise((resolve) => setTimeout(resolve, fault.millis));
    const bytes = decodeBody(Buffer.concat(chunks), incoming.headers);
    const answer = this.#perform(request, this.options.keepInstead?.(request, bytes) ?? bytes);
    if (fault?.kind === 'lostAnswer') {
      incoming.socket.destroy();
      return;
    }
    const { status, headers = {}, body = Buffer.alloc(0) } = answer;
    response.writeHead(status, {
      'x-amz-request-id': 'double',
      'content-length': body.length,
      ...headers,
      ...this.options.answerHeaders?.(request),
    });
    if (request.method === 'HEAD' || status === 204 || status === 304) response.end();
    else if (fault?.kind === 'cut') {
      response.write(body.subarray(0, fault.afterBytes), () => incoming.socket.destroy());
    } else response.end(body);
  }

  /** The request as this store takes it. */
  #asked(request: S3Request): S3Request {
    const { rangeInstead, ignoresConditions } = this.options;
    const range = request.headers.range === undefined ? undefined : rangeInstead?.(request);
    const headers = {
      ...request.headers,
      ...(range === undefined ? {} : { range: `bytes=${range.startByte}-${range.endByte - 1}` }),
      ...(ignoresConditions?.(request) ? { 'if-match': undefined } : {}),
    };
    return { ...request, headers };
  }

  #perform(request: S3Request, body: Buffer): Answer {
    const { method, query, key } = request;
    const bucket = this.buckets.get(request.bucket);
    if (bucket === undefined) throw new S3Refusal(404, 'NoSuchBucket');
    if (key === '') {
      if (method === 'POST' && query.has('delete')) return deleteMany(bucket, body);
      if (method === 'GET') return this.#list(bucket, request);
      if (method === 'HEAD') return { status: 200 };
      throw new S3Refusal(501, 'NotImplemented');
    }
    const uploadId = query.get('uploadId');
    if (method === 'POST' && query.has('uploads')) {
      const id = bucket.startUpload(key, kept(request.headers));
      return xml(`<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`);
    }
    if (method === 'PUT' && uploadId !== null) {
      const etag = bucket.putPart(uploadId, Number(query.get('partNumber')), body);
      return { status: 200, headers: { etag, 'x-amz-checksum-crc32': checksum(body) } };
    }
    if (method === 'POST' && uploadId !== null) {
      const stored = bucket.completeUpload(uploadId, partsOf(body), this.#conditionOf(request));
      this.options.onObjectCreated?.({ bucket: request.bucket, key, object: stored });
      return xml(
        `<CompleteMultipartUploadResult><ETag>${escapeXml(stored.etag)}</ETag></CompleteMultipartUploadResult>`,
      );
    }
    if (method === 'DELETE' && uploadId !== null) {
      bucket.abortUpload(uploadId);
      return { status: 204 };
    }
    if (method === 'PUT') {
      const stored = bucket.put(key, body, kept(request.headers), this.#conditionOf(request));
      this.options.onObjectCreated?.({ bucket: request.bucket, key, object: stored });
      return { status: 200, headers: { etag: stored.etag, 'x-amz-checksum-crc32': checksum(body) } };
    }
    if (method === 'DELETE') {
      bucket.objects.delete(key);
      return { status: 204 };
    }
    if (method === 'GET' || method === 'HEAD') return read(bucket.get(key), this.#asked(request));
    throw new S3Refusal(501, 'NotImplemented');
  }

  #conditionOf(request: S3Request): WriteCondition {
    if (this.options.ignoresConditions?.(request)) return {};
    return {
      ifNoneMatch: request.headers['if-none-match'] as string | undefined,
      ifMatch: request.headers['if-match'] as string | undefined,
    };
  }

  #list(bucket: S3Bucket, { query }: S3Request): Answer {
    const prefix = query.get('prefix') ?? '';
    const limit = Math.min(this.options.pageSize ?? 1000, Number(query.get('max-keys') ?? 1000));
    const token = query.get('continuation-token');
    const after = token === null ? (query.get('start-after') ?? '') : Buffer.from(token, 'base64').toString();
    const delimiter = query.get('delimiter');
    const isPrefix = (entry: string) => delimiter !== null && entry.slice(prefix.length).endsWith(delimiter);
    const keys: string[] = [];
    for (const key of bucket.keysAfter(prefix, after)) {
      // A key, or what it begins with up to the delimiter; as on S3, each common prefix counts once, and as one.
      const end = delimiter === null ? -1 : key.indexOf(delimiter, prefix.length);
      const entry = end < 0 ? key : key.slice(0, end + 1);
      if (entry === keys.at(-1) || (isPrefix(entry) && entry === after)) continue;
      keys.push(entry);
      if (keys.length > limit) break;
    }
    const page = keys.slice(0, limit);
    const isTruncated = keys.length > page.length;
    const encode = query.get('encoding-type') === 'url' ? encodeURIComponent : escapeXml;
    const prefixes = page
      .filter(isPrefix)
      .map((entry) => `<CommonPrefixes><Prefix>${encode(entry)}</Prefix></CommonPrefixes>`);
    const contents = page
      .filter((entry) => !isPrefix(entry))
      .map((key) => {
        const { bytes, etag, lastModified } = bucket.get(key);
        return `<Contents><Key>${encode(key)}</Key><Size>${bytes.length}</Size><ETag>${escapeXml(etag)}</ETag><LastModified>${lastModified.toISOString()}</LastModified></Contents>`;
      });
    const next = isTruncated
      ? `<NextContinuationToken>${Buffer.from(page.at(-1)!).toString('base64')}</NextContinuationToken>`
      : '';
    return xml(
      `<ListBucketResult><IsTruncated>${isTruncated}</IsTruncated><KeyCount>${page.length}</KeyCount>${next}${contents.join('')}${prefixes.join('')}</ListBucketResult>`,
    );
  }
}

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

function read({ bytes, etag, lastModified, headers }: StoredObject, { headers: asked }: S3Request): Answer {
  if (asked['if-match'] !== undefined && asked['if-match'] !== etag) {
    throw new S3Refusal(412, 'PreconditionFailed');
  }
  if (asked['if-none-match'] === etag) return { status: 304, headers: { etag } };
  const common = { ...headers, etag, 'last-modified': lastModified.toUTCString(), 'accept-ranges': 'bytes' };
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(String(asked.range ?? '')) ?? [];
  if (first === undefined || last === undefined) {
    return { status: 200, headers: { ...common, 'content-length': String(bytes.length) }, body: bytes };
  }
  const start = first === '' ? Math.max(0, bytes.length - Number(last)) : Number(first);
  const end = first === '' || last === '' ? bytes.length : Math.min(bytes.length, Number(last) + 1);
  if (start >= bytes.length) throw new S3Refusal(416, 'InvalidRange');
  const body = bytes.subarray(start, end);
  const range = {
    'content-range': `bytes ${start}-${end - 1}/${bytes.length}`,
    'content-length': String(body.length),
  };
  return { status: 206, headers: { ...common, ...range }, body };
}

function deleteMany(bucket: S3Bucket, body: Buffer): Answer {
  for (const [, key = ''] of body.toString().matchAll(/<Key>(.*?)<\/Key>/gs))
    bucket.objects.delete(unescapeXml(key));
  return xml('<DeleteResult></DeleteResult>');
}

function partsOf(body: Buffer): { partNumber: number; etag: string }[] {
  return [...body.toString().matchAll(/<Part>(.*?)<\/Part>/gs)].map(([, part = '']) => ({
    partNumber: Number(/<PartNumber>(\d+)</.exec(part)?.[1]),
    etag: unescapeXml(/<ETag>(.*?)</.exec(part)?.[1] ?? ''),
  }));
}

/** Headers that an object gives back. */
function kept(headers: NodeJS.Dict<string | string[]>): Record<string, string> {
  const names = Object.keys(headers).filter(
    (name) =>
      name === 'content-type' ||
      name.startsWith('x-amz-meta-') ||
      name.startsWith('x-amz-server-side-encryption'),
  );
  return Object.fromEntries(names.map((name) => [name, String(headers[name])]));
}

function xml(text: string): Answer {
  const body = Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>${text}`);
  return { status: 200, headers: { 'content-type': 'application/xml' }, body };
}

function refuse(response: ServerResponse, error: unknown): void {
  const { status, code, headers } = error instanceof S3Refusal ? error : new S3Refusal(500, 'InternalError');
  const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`;
  response.writeHead(status, {
    'content-type': 'application/xml',
    'x-amz-request-id': 'double',
    ...headers,
  });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}
