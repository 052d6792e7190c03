import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { writeWhole } from '../../lib/storage/openStorage.ts';
import { closeS3 } from '../../lib/storage/s3Client.ts';
import { s3Storage } from '../../lib/storage/s3Storage.ts';
import { S3Bucket } from '../support/s3/s3Bucket.ts';
import type { S3Fault, S3Request } from '../support/s3/s3Double.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';

const s3 = testEndpoint();
const FAR = 'far-bucket';
/** Of each bucket. */
const regions = new Map([[FAR, 'eu-west-1']]);
const far = (key: string) => `s3://${FAR}/${key}`;
const near = (key: string) => `s3://${s3.bucket}/${key}`;
const bytesOf = (text: string) => new TextEncoder().encode(text);

/** The region that a request was signed for. */
function signedFor({ headers }: S3Request): string {
  return /Credential=[^/]+\/\d+\/([^/]+)\//.exec(String(headers.authorization))?.[1] ?? 'none';
}

/** What S3 answers to a request for a bucket that is elsewhere. */
function elsewhere(request: S3Request): S3Fault | undefined {
  const region = regions.get(request.bucket)!;
  return signedFor(request) === region ? undefined : { kind: 'redirect', region };
}

describe.skipIf(process.env.NCS4CVR_TEST_S3_ENDPOINT !== undefined)('a bucket of another region', () => {
  beforeAll(() => {
    s3.double!.buckets.set(FAR, new S3Bucket());
    regions.set(s3.bucket, process.env.AWS_REGION!);
  });
  beforeEach(async () => {
    await closeS3();
    s3.double!.options = { fault: elsewhere };
    s3.double!.requests.length = 0;
  });
  afterEach(() => {
    s3.double!.options = {};
  });
  const sentTo = (bucket: string) => s3.double!.requests.filter((request) => request.bucket === bucket);

  it('is read and written where it is, whatever the call, and only the first one asks at home', async () => {
    const uri = far('day/a.parquet');
    await writeWhole(uri, bytesOf('bytes'));
    const file = await s3Storage.open(uri);
    const target = new Uint8Array(3);
    await file.readInto(target, 1);
    expect(Buffer.from(target).toString()).toBe('yte');
    expect(Buffer.from(await s3Storage.readWhole(uri)).toString()).toBe('bytes');
    expect((await s3Storage.list(far('day/'))).map(({ relativePath }) => relativePath)).toEqual([
      'a.parquet',
    ]);
    expect(await s3Storage.listFolders(far(''))).toEqual(['day']);
    expect(await s3Storage.createIfAbsent(far('b'), bytesOf('b'))).toBeDefined();
    expect(await s3Storage.createIfAbsent(far('b'), bytesOf('c'))).toBeUndefined();
    expect(await s3Storage.stat(far('missing'))).toBeUndefined();
    await s3Storage.remove(uri);
    const [first, ...others] = sentTo(FAR).map(signedFor);
    expect(first).toBe(process.env.AWS_REGION);
    expect(new Set(others)).toEqual(new Set(['eu-west-1']));
    expect(others.length).toBeGreaterThan(8);
  });

  it('is found by a request whose answer has no body', async () => {
    expect(await s3Storage.stat(far('missing'))).toBeUndefined();
    expect(sentTo(FAR).map(({ method }) => method)).toEqual(['HEAD', 'HEAD']);
  });

  it('is asked beside one of the own region, and none is asked in the region of the other', async () => {
    const uris = Array.from({ length: 60 }, (_, i) => (i % 2 === 0 ? near : far)(`k${i}`));
    await Promise.all(uris.map((uri) => writeWhole(uri, bytesOf(uri))));
    const read = await Promise.all(uris.map((uri) => s3Storage.readWhole(uri)));
    expect(read.map((bytes) => Buffer.from(bytes).toString())).toEqual(uris);
    expect(new Set(sentTo(s3.bucket).map(signedFor))).toEqual(new Set([process.env.AWS_REGION]));
  });

  it('that is nowhere ends with the answer of the region that it is said to be in', async () => {
    s3.double!.options = { fault: () => ({ kind: 'redirect', region: 'eu-west-1' }) };
    await expect(s3Storage.readWhole(far('a'))).rejects.toMatchObject({
      code: 'STORAGE_READ_FAILED',
      retryable: false,
      found: expect.stringContaining('PermanentRedirect'),
    });
    expect(sentTo(FAR).map(signedFor)).toEqual([process.env.AWS_REGION, 'eu-west-1']);
  });
});
