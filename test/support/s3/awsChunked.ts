import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** A body refused as S3 would: with an HTTP status and a code in XML. */
export class S3Refusal extends Error {
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: string, headers: Readonly<Record<string, string>> = {}) {
    super(code);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

/** The bytes of a request, its chunk framing removed and its CRC32 checked, which the SDK sends by default. */
export function decodeBody(body: Buffer, headers: NodeJS.Dict<string | string[]>): Buffer {
  const isChunked = String(headers['content-encoding'] ?? '').includes('aws-chunked');
  const { bytes, trailers } = isChunked ? decodeChunks(body) : { bytes: body, trailers: new Map() };
  const expected = trailers.get('x-amz-checksum-crc32') ?? headers['x-amz-checksum-crc32'];
  if (typeof expected === 'string' && expected !== checksum(bytes)) throw new S3Refusal(400, 'BadDigest');
  const md5 = headers['content-md5'];
  if (md5 !== undefined && md5 !== createHash('md5').update(bytes).digest('base64')) {
    throw new S3Refusal(400, 'BadDigest');
  }
  const decodedLength = headers['x-amz-decoded-content-length'];
  if (decodedLength !== undefined && Number(decodedLength) !== bytes.length) {
    throw new S3Refusal(400, 'IncompleteBody');
  }
  return bytes;
}

/** Base64 of the big-endian CRC32. */
export function checksum(bytes: Uint8Array): string {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(crc32(bytes));
  return out.toString('base64');
}

/** `<size in hex>[;chunk-signature=...]\r\n<bytes>\r\n ... 0\r\n<trailer>:<value>\r\n\r\n`. */
function decodeChunks(body: Buffer): { bytes: Buffer; trailers: Map<string, string> } {
  const chunks: Buffer[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = body.indexOf('\r\n', at);
    const size = Number.parseInt(body.toString('latin1', at, lineEnd), 16);
    if (lineEnd < 0 || !Number.isInteger(size)) throw new S3Refusal(400, 'IncompleteBody');
    at = lineEnd + 2;
    if (size === 0) break;
    if (at + size + 2 > body.length) throw new S3Refusal(400, 'IncompleteBody');
    chunks.push(body.subarray(at, at + size));
    at += size + 2;
  }
  const trailers = new Map<string, string>();
  for (const line of body.toString('latin1', at).split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) trailers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  return { bytes: Buffer.concat(chunks), trailers };
}
