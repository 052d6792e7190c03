import { randomBytes } from 'node:crypto';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { afterEach, describe, expect, it } from 'vitest';
import { listIfAny, writeWhole } from '../../lib/storage/openStorage.ts';
import { s3Error } from '../../lib/storage/s3Error.ts';
import { requestsForRead } from '../../lib/storage/s3File.ts';
import { s3Storage } from '../../lib/storage/s3Storage.ts';
import { checksum } from '../support/s3/awsChunked.ts';
import type { S3Fault, S3Request } from '../support/s3/s3Double.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';

const s3 = testEndpoint();
const uriOf = (key: string) => `s3://${s3.bucket}/${key}`;
const bytesOf = (text: string) => new TextEncoder().encode(text);

/** Faults for the first requests that match, one after the other. */
function plan(matches: (request: S3Request) => boolean, ...faults: readonly S3Fault[]): void {
  const left = [...faults];
  s3.double!.options = { fault: (request) => (matches(request) ? left.shift() : undefined) };
}
const slowDown: S3Fault = { kind: 'status', status: 503, code: 'SlowDown' };
const isGet = ({ method }: S3Request) => method === 'GET';
const isPut = ({ method }: S3Request) => method === 'PUT';

describe.skipIf(process.env.NCS4CVR_TEST_S3_ENDPOINT !== undefined)('an S3 that fails', () => {
  afterEach(() => {
    s3.double!.options = {};
  });

  it('is asked again after SlowDown, a reset connection and a body that breaks off', async () => {
    const bytes = randomBytes(100_000);
    await writeWhole(uriOf('data'), bytes);
    const file = await s3Storage.open(uriOf('data'));
    plan(isGet, slowDown, { kind: 'reset' }, { kind: 'cut', afterBytes: 5_000 });
    const before = s3.double!.requests.length;
    const target = new Uint8Array(50_000);
    await file.readInto(target, 1_000);
    expect(Buffer.compare(target, bytes.subarray(1_000, 51_000))).toBe(0);
    expect(s3.double!.requests.length - before).toBe(4);
  });

  it('is asked for a large range by several requests at a time, and again for the one that fails', async () => {
    const sizeBytes = 3 * 2 ** 23 + 5;
    const bytes = randomBytes(sizeBytes + 20);
    await writeWhole(uriOf('large'), bytes);
    const file = await s3Storage.open(uriOf('large'));
    plan(isGet, slowDown, { kind: 'cut', afterBytes: 5_000 });
    const before = s3.double!.requests.length;
    const target = new Uint8Array(sizeBytes);
    await file.readInto(target, 7);
    expect(Buffer.compare(target, bytes.subarray(7, 7 + sizeBytes))).toBe(0);
    const ranges = s3.double!.requests.slice(before).map(({ headers }) => headers.range);
    const each = Math.ceil(sizeBytes / 3);
    expect(new Set(ranges)).toEqual(
      new Set([
        `bytes=7-${6 + each}`,
        `bytes=${7 + each}-${6 + 2 * each}`,
        `bytes=${7 + 2 * each}-${6 + sizeBytes}`,
      ]),
    );
    expect(ranges).toHaveLength(5);
    expect([0, 1, 2 ** 24 - 1, 2 ** 24, 2 ** 26, 2 ** 40].map(requestsForRead)).toEqual([1, 1, 1, 2, 8, 8]);
  });

  it('fails a large range with the error of its first part at fault, once no part is being read any more', async () => {
    await writeWhole(uriOf('replaced'), randomBytes(2 ** 24));
    const file = await s3Storage.open(uriOf('replaced'));
    await writeWhole(uriOf('replaced'), randomBytes(2 ** 24));
    const target = new Uint8Array(2 ** 24);
    await expect(file.readInto(target, 0)).rejects.toMatchObject({ code: 'STORAGE_FILE_CHANGED' });
  });

  it('is asked again for a whole object whose body breaks off, however large', async () => {
    const bytes = randomBytes(300_000);
    await writeWhole(uriOf('whole'), bytes);
    plan(isGet, { kind: 'cut', afterBytes: 0 }, { kind: 'cut', afterBytes: 200_000 }, slowDown, {
      kind: 'reset',
    });
    expect(bytes.equals(await s3Storage.readWhole(uriOf('whole')))).toBe(true);
    plan(isGet, { kind: 'cut', afterBytes: 100 });
    expect(bytes.equals((await s3Storage.readVersioned(uriOf('whole')))!.bytes)).toBe(true);
  });

  it('is given up with a retryable error when bodies keep breaking off', async () => {
    await writeWhole(uriOf('data'), randomBytes(100_000));
    const file = await s3Storage.open(uriOf('data'));
    s3.double!.options = {
      fault: (request) => (isGet(request) ? { kind: 'cut', afterBytes: 10 } : undefined),
    };
    const error = await file.readInto(new Uint8Array(1000), 0).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ retryable: true, location: { file: uriOf('data') } });
  }, 20_000);

  it('never mixes two versions: an object replaced after it was opened is an error, asked for once', async () => {
    await writeWhole(uriOf('shard'), bytesOf('old bytes'));
    const file = await s3Storage.open(uriOf('shard'));
    await writeWhole(uriOf('shard'), bytesOf('new bytes'));
    const before = s3.double!.requests.length;
    await expect(file.readInto(new Uint8Array(3), 0)).rejects.toMatchObject({
      code: 'STORAGE_FILE_CHANGED',
      retryable: true,
      location: { file: uriOf('shard') },
    });
    expect(s3.double!.requests.length - before).toBe(1);
  });

  it('that takes no notice of If-Match is caught by the ETag of its answer', async () => {
    await writeWhole(uriOf('shard'), bytesOf('old bytes'));
    const file = await s3Storage.open(uriOf('shard'));
    await writeWhole(uriOf('shard'), bytesOf('new bytes'));
    s3.double!.options = { ignoresConditions: () => true };
    await expect(file.readInto(new Uint8Array(3), 0)).rejects.toMatchObject({
      code: 'STORAGE_FILE_CHANGED',
      found: expect.stringContaining('version "'),
      location: { file: uriOf('shard') },
    });
  });

  it.each([3, 20])('that answers a range with %i bytes instead of 10 is not believed', async (sizeBytes) => {
    await writeWhole(uriOf('shard'), randomBytes(100));
    const file = await s3Storage.open(uriOf('shard'));
    s3.double!.options = { rangeInstead: () => ({ startByte: 0, endByte: sizeBytes }) };
    await expect(file.readInto(new Uint8Array(10), 0)).rejects.toMatchObject({
      code: 'STORAGE_SHORT_READ',
      retryable: true,
    });
  });

  it('has whole objects checked against the checksum that it keeps of them', async () => {
    const uri = uriOf('flipped');
    await writeWhole(uri, bytesOf('0123456789'));
    const stored = s3.double!.buckets.get(s3.bucket)!.objects.get(new URL(uri).pathname.slice(1))!;
    const kept = checksum(stored.bytes);
    s3.double!.options = {
      answerHeaders: ({ headers }) =>
        headers['x-amz-checksum-mode'] === 'ENABLED' ? { 'x-amz-checksum-crc32': kept } : {},
    };
    expect(await s3Storage.readWhole(uri)).toEqual(bytesOf('0123456789'));
    stored.bytes[4]! ^= 1;
    await expect(s3Storage.readWhole(uri)).rejects.toMatchObject({
      code: 'STORAGE_READ_FAILED',
      message: expect.stringMatching(/checksum/i),
      location: { file: uri },
    });
  });

  it('is asked for nothing but the bytes of an object that a listing told of', async () => {
    await writeWhole(uriOf('listed/shard'), bytesOf('0123456789'));
    const [listed] = await s3Storage.list(uriOf('listed'));
    const before = s3.double!.requests.length;
    const file = await s3Storage.open(listed!.uri, listed!);
    const target = new Uint8Array(4);
    await file.readInto(target, 6);
    expect(Buffer.from(target).toString()).toBe('6789');
    await expect(file.readInto(target, 7)).rejects.toMatchObject({ code: 'STORAGE_SHORT_READ' });
    const sent = s3
      .double!.requests.slice(before)
      .map(({ method, headers }) => [method, headers['if-match']]);
    expect(sent).toEqual([['GET', listed!.version]]);
  });

  it('tells the winner of a conditional write that it won, even when the first answer was lost', async () => {
    plan(isPut, { kind: 'lostAnswer' });
    const created = await s3Storage.createIfAbsent(uriOf('pointer'), bytesOf('1'));
    expect(created).toBeDefined();
    plan(isPut, { kind: 'lostAnswer' });
    const replaced = await s3Storage.replaceIfVersion(uriOf('pointer'), bytesOf('2'), created!);
    expect(replaced).toBe((await s3Storage.stat(uriOf('pointer')))!.version);
    plan(isPut, slowDown);
    expect(await s3Storage.createIfAbsent(uriOf('pointer'), bytesOf('3'))).toBeUndefined();
  });

  it('takes a conflict for what it is: nobody has won yet, the write is repeated', async () => {
    const conflict: S3Fault = { kind: 'status', status: 409, code: 'ConditionalRequestConflict' };
    plan(isPut, conflict, conflict);
    const created = await s3Storage.createIfAbsent(uriOf('contested'), bytesOf('1'));
    expect(created).toBe((await s3Storage.stat(uriOf('contested')))!.version);
    plan(isPut, conflict);
    expect(await s3Storage.replaceIfVersion(uriOf('contested'), bytesOf('2'), created!)).toBeDefined();
    plan(isPut, conflict);
    expect(await s3Storage.createIfAbsent(uriOf('contested'), bytesOf('3'))).toBeUndefined();
    s3.double!.options = { fault: (request) => (isPut(request) ? conflict : undefined) };
    await expect(s3Storage.createIfAbsent(uriOf('unsettled'), bytesOf('1'))).rejects.toMatchObject({
      code: 'STORAGE_WRITE_FAILED',
      retryable: true,
    });
    const part = await s3Storage.createAtomic(uriOf('unsettled'), { ifAbsent: true });
    await part.write(bytesOf('1'));
    await expect(part.commit()).rejects.toMatchObject({ retryable: true });
    await part.abort();
  }, 20_000);

  it('keeps no part of an upload that failed or was aborted', async () => {
    const bucket = s3.double!.buckets.get(s3.bucket)!;
    s3.double!.options = {
      fault: ({ query }) =>
        query.get('partNumber') === '2' ? { kind: 'status', status: 403, code: 'AccessDenied' } : undefined,
    };
    const failing = await s3Storage.createAtomic(uriOf('upload'));
    const writeAll = async () => {
      for (let i = 0; i < 40; i++) await failing.write(randomBytes(1_000_000));
      await failing.commit();
    };
    await expect(writeAll()).rejects.toMatchObject({ code: 'STORAGE_ACCESS_DENIED' });
    await failing.abort();
    s3.double!.options = {};
    const aborted = await s3Storage.createAtomic(uriOf('upload'));
    for (let i = 0; i < 40; i++) await aborted.write(randomBytes(1_000_000));
    await aborted.abort();
    expect(bucket.uploads.size).toBe(0);
    expect(await s3Storage.exists(uriOf('upload'))).toBe(false);
  }, 20_000);

  it('that has an object in an archive says so, and not that a right is missing', async () => {
    plan(isGet, { kind: 'status', status: 403, code: 'InvalidObjectState' });
    await expect(s3Storage.readWhole(uriOf('data'))).rejects.toMatchObject({
      code: 'STORAGE_ARCHIVED',
      retryable: false,
      location: { file: uriOf('data') },
    });
  });

  it('that refuses or lacks the bucket is named, and not asked again', async () => {
    plan(isGet, { kind: 'status', status: 403, code: 'AccessDenied' });
    const before = s3.double!.requests.length;
    const denied = s3Storage.readWhole(uriOf('data'));
    await expect(denied).rejects.toMatchObject({ code: 'STORAGE_ACCESS_DENIED', retryable: false });
    expect(s3.double!.requests.length - before).toBe(1);
    await expect(s3Storage.list('s3://no-such-bucket/x/')).rejects.toMatchObject({
      code: 'STORAGE_NOT_FOUND',
      message: expect.stringContaining('no such bucket'),
    });
  });

  it('gets the encryption that the environment asks for, on small and large objects', async () => {
    process.env.NCS4CVR_S3_SSE = 'aws:kms';
    process.env.NCS4CVR_S3_KMS_KEY_ID = 'key-1';
    await s3Storage.createIfAbsent(uriOf('secret-1'), bytesOf('x'));
    await writeWhole(uriOf('secret-2'), randomBytes(20_000_000));
    delete process.env.NCS4CVR_S3_SSE;
    delete process.env.NCS4CVR_S3_KMS_KEY_ID;
    await writeWhole(uriOf('open'), bytesOf('x'));
    const headersOf = (key: string) => s3.double!.buckets.get(s3.bucket)!.get(key).headers;
    for (const key of ['secret-1', 'secret-2']) {
      expect(headersOf(key)).toMatchObject({
        'x-amz-server-side-encryption': 'aws:kms',
        'x-amz-server-side-encryption-aws-kms-key-id': 'key-1',
      });
    }
    expect(headersOf('open')).not.toHaveProperty('x-amz-server-side-encryption');
  });
});

describe.skipIf(process.env.NCS4CVR_TEST_S3_ENDPOINT !== undefined)('a folder that may not be there', () => {
  it('is listed by listings alone: nobody asks for an object of its name, which needs the right to read it', async () => {
    await writeWhole(uriOf('maybe/a'), bytesOf('a'));
    await writeWhole(uriOf('maybe/b/c'), bytesOf('c'));
    await writeWhole(uriOf('maybe-not/d'), bytesOf('d'));
    const namesIn = async (folder: string) =>
      (await listIfAny(uriOf(folder))).map(({ uri, relativePath }) => [uri, relativePath]);
    const before = s3.double!.requests.length;
    expect(await namesIn('maybe')).toEqual([
      [uriOf('maybe/a'), 'a'],
      [uriOf('maybe/b/c'), 'b/c'],
    ]);
    expect(await namesIn('nothing')).toEqual([]);
    const asked = s3.double!.requests.slice(before);
    expect(asked.map(({ method, key }) => [method, key])).toEqual([
      ['GET', ''],
      ['GET', ''],
    ]);
  });
});

it.each([
  ['ThrottlingException', 400, true],
  ['KMS.ThrottlingException', 400, true],
  ['RequestTimeout', 400, true],
  ['BandwidthLimitExceeded', 503, true],
  ['SlowDown', 503, true],
  ['TimeoutError', undefined, true],
  ['KMS.DisabledException', 400, false],
  ['InvalidRequest', 400, false],
  ['MalformedXML', 400, false],
])('%s with status %s, after all tries, is retryable: %s', (name, httpStatusCode, retryable) => {
  const thrown = Object.assign(new Error('no'), { name, $metadata: { httpStatusCode } });
  const error = s3Error(thrown, 's3://b/k', 'STORAGE_READ_FAILED');
  expect(error).toMatchObject({ code: 'STORAGE_READ_FAILED', retryable });
});

describe('an S3 URI', () => {
  it('of a bucket alone is no object, and none is asked for', async () => {
    const before = s3.double?.requests.length;
    expect(await s3Storage.stat(`s3://${s3.bucket}`)).toBeUndefined();
    expect(await s3Storage.stat(`s3://${s3.bucket}/`)).toBeUndefined();
    expect(s3.double?.requests.length).toBe(before);
  });

  it('needs a bucket', async () => {
    for (const uri of ['s3://', 's3:///key']) {
      await expect(s3Storage.stat(uri)).rejects.toMatchObject({ code: 'STORAGE_URI_INVALID' });
    }
  });
});

describe.skipIf(process.env.NCS4CVR_TEST_S3_ENDPOINT !== undefined)('the double', () => {
  it('refuses a body that is not what its CRC32 says, as S3 does', async () => {
    const wrong = new PutObjectCommand({
      Bucket: s3.bucket,
      Key: 'bad',
      Body: 'abc',
      ChecksumCRC32: 'AAAAAA==',
    });
    await expect(s3.client.send(wrong)).rejects.toMatchObject({ name: 'BadDigest' });
    expect(await s3Storage.exists(uriOf('bad'))).toBe(false);
  });
});
