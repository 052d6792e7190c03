import { readdirSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeWhole } from '../../lib/storage/openStorage.ts';
import { probeConditions } from '../../lib/storage/probeConditions.ts';
import { closeS3 } from '../../lib/storage/s3Client.ts';
import { s3Storage } from '../../lib/storage/s3Storage.ts';
import type { S3DoubleOptions, S3Request } from '../support/s3/s3Double.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';
import { temporaryFolder } from './temporaryFolder.ts';

const s3 = testEndpoint();
let roots = 0;
let root = '';

const isPut = ({ method }: S3Request) => method === 'PUT';
const isReplacement = ({ headers }: S3Request) => headers['if-match'] !== undefined;
const isCreation = ({ headers }: S3Request) => headers['if-none-match'] !== undefined;
const isCompletion = ({ method, query }: S3Request) => method === 'POST' && query.has('uploadId');
const hasChecksum = ({ headers }: S3Request) => headers['x-amz-checksum-crc32'] !== undefined;
const refusedWhere = (matches: (request: S3Request) => boolean, status: number, code: string) => ({
  fault: (request: S3Request) => (matches(request) ? ({ kind: 'status', status, code } as const) : undefined),
});

const recordUri = () => `${root}/.probe/conditions.json`;

describe.skipIf(process.env.NCS4CVR_TEST_S3_ENDPOINT !== undefined)('a probe of the double', () => {
  beforeEach(() => {
    root = `s3://${s3.bucket}/root-${roots++}`;
  });
  afterEach(async () => {
    s3.double!.options = {};
    delete process.env.AWS_REQUEST_CHECKSUM_CALCULATION;
    delete process.env.AWS_RESPONSE_CHECKSUM_VALIDATION;
    await closeS3();
  });
  const expectRefused = async (options: S3DoubleOptions, code: string, expected: string) => {
    s3.double!.options = options;
    // Twice: a root that was refused isn't remembered.
    for (let calls = 0; calls < 2; calls++) {
      await expect(probeConditions(root)).rejects.toMatchObject({
        code,
        expected: expect.stringContaining(expected),
      });
    }
    s3.double!.options = {};
    expect(await s3Storage.exists(recordUri())).toBe(false);
  };

  it('passes a store that keeps every condition, and asks a root that passed for its record alone', async () => {
    expect(await probeConditions(root)).toEqual({ multipartIfAbsent: true });
    const before = s3.double!.requests.length;
    expect(await probeConditions(root)).toEqual({ multipartIfAbsent: true });
    const sent = s3.double!.requests.slice(before).map(({ method, key }) => `${method} ${key}`);
    expect(sent).toEqual([`GET ${recordUri().slice(`s3://${s3.bucket}/`.length)}`]);
  });

  it('deletes nothing, hides what it leaves, and leaves no upload', async () => {
    await probeConditions(root);
    expect(
      s3.double!.requests.filter(({ method, query }) => method === 'DELETE' && !query.has('uploadId')),
    ).toEqual([]);
    expect(await s3Storage.list(root)).toEqual([]);
    expect(await s3Storage.listFolders(root)).toEqual(['.probe']);
    const bucket = s3.double!.buckets.get(s3.bucket)!;
    const left = [...bucket.objects.keys()].filter((key) =>
      `s3://${s3.bucket}/${key}`.startsWith(`${root}/`),
    );
    expect(left).toHaveLength(2);
    expect(bucket.uploads.size).toBe(0);
  });

  it('passes for everyone who asks at the same time', async () => {
    const probes = Array.from({ length: 8 }, () => probeConditions(root));
    for (const probed of await Promise.all(probes)) expect(probed).toEqual({ multipartIfAbsent: true });
  });

  it('passes a store whose first answers are lost: what it repeats are its own writes', async () => {
    const lost = new Set<string>();
    s3.double!.options = {
      fault: (request) => {
        const kind = `${request.headers['if-match'] ?? request.headers['if-none-match']} ${request.key}`;
        if (!isPut(request) || lost.has(kind)) return undefined;
        lost.add(kind);
        return { kind: 'lostAnswer' };
      },
    };
    expect(await probeConditions(root)).toEqual({ multipartIfAbsent: true });
    expect(lost.size).toBeGreaterThan(1);
  });

  it.each([
    ['If-None-Match', 'If-None-Match', { ignoresConditions: isCreation }],
    ['If-Match', 'If-Match', { ignoresConditions: isReplacement }],
    ['both', 'If-None-Match', { ignoresConditions: () => true }],
    ['If-None-Match, not implemented', 'If-None-Match', refusedWhere(isCreation, 501, 'NotImplemented')],
    ['If-Match, not implemented', 'If-Match', refusedWhere(isReplacement, 501, 'NotImplemented')],
    ['If-Match, never true', 'If-Match', refusedWhere(isReplacement, 412, 'PreconditionFailed')],
    ['If-None-Match, never true', 'If-None-Match', refusedWhere(isCreation, 412, 'PreconditionFailed')],
  ])('refuses a store that does not keep %s, by the name of the condition', async (_title, name, options) => {
    await expectRefused(options, 'STORAGE_NO_CONDITIONS', `(${name}`);
  });

  it('refuses a store that lets two writers that race for one version win', async () => {
    let left = 2;
    s3.double!.options = { ignoresConditions: (request) => isReplacement(request) && left-- > 0 };
    await expect(probeConditions(root)).rejects.toMatchObject({
      code: 'STORAGE_NO_CONDITIONS',
      found: expect.stringContaining('writers have won'),
    });
  });

  it('refuses a store that replaces stale versions once no writers race', async () => {
    let replacements = 0;
    s3.double!.options = { ignoresConditions: (request) => isReplacement(request) && ++replacements > 4 };
    await expect(probeConditions(root)).rejects.toMatchObject({
      code: 'STORAGE_NO_CONDITIONS',
      found: expect.stringContaining('stale'),
    });
  });

  it('passes a store that only ignores the condition of multipart uploads, says so, and remembers it', async () => {
    s3.double!.options = { ignoresConditions: isCompletion };
    expect(await probeConditions(root)).toEqual({ multipartIfAbsent: false });
    s3.double!.options = {};
    expect(await probeConditions(root)).toEqual({ multipartIfAbsent: false });
  });

  it.each([
    ['a damaged record', '{"probe'],
    ['the record of another version', '{"probeVersion":0,"multipartIfAbsent":true}'],
  ])('probes again where there is %s, and writes its own', async (_title, text) => {
    await writeWhole(recordUri(), Buffer.from(text));
    s3.double!.options = { ignoresConditions: () => true };
    await expect(probeConditions(root)).rejects.toMatchObject({ code: 'STORAGE_NO_CONDITIONS' });
    s3.double!.options = {};
    await probeConditions(root);
    const record = JSON.parse(Buffer.from(await s3Storage.readWhole(recordUri())).toString());
    expect(record).toEqual({ probeVersion: 1, multipartIfAbsent: true });
  });

  it.each([
    ['takes for an invalid argument', refusedWhere(hasChecksum, 400, 'InvalidArgument')],
    ['takes for a wrong signature', refusedWhere(hasChecksum, 403, 'SignatureDoesNotMatch')],
    ['does not implement', refusedWhere(hasChecksum, 501, 'NotImplemented')],
    [
      'keeps within the object',
      {
        keepInstead: (request: S3Request, bytes: Buffer) =>
          hasChecksum(request)
            ? Buffer.concat([
                Buffer.from(`${bytes.length.toString(16)}\r\n`),
                bytes,
                Buffer.from('\r\n0\r\n'),
              ])
            : bytes,
      },
    ],
  ])(
    'names the setting for a store that the checksum of a write %s, and passes it then',
    async (_title, options) => {
      const setting = 'AWS_REQUEST_CHECKSUM_CALCULATION';
      await expectRefused(options, 'STORAGE_CHECKSUMS', `${setting}=WHEN_REQUIRED in`);
      process.env[setting] = 'WHEN_REQUIRED';
      await closeS3();
      s3.double!.options = options;
      expect(await probeConditions(root)).toEqual({ multipartIfAbsent: true });
    },
  );

  it('names the setting for a store whose answers have a wrong checksum, and passes it then', async () => {
    const options = {
      answerHeaders: ({ method, headers }: S3Request): Record<string, string> =>
        method === 'GET' && headers['x-amz-checksum-mode'] === 'ENABLED'
          ? { 'x-amz-checksum-crc32': 'AAAAAA==' }
          : {},
    };
    const setting = 'AWS_RESPONSE_CHECKSUM_VALIDATION';
    await expectRefused(options, 'STORAGE_CHECKSUMS', `${setting}=WHEN_REQUIRED in`);
    process.env[setting] = 'WHEN_REQUIRED';
    await closeS3();
    s3.double!.options = options;
    await probeConditions(root);
    delete process.env[setting];
    await closeS3();
    // By now there is a record, which can't be read either.
    await expect(probeConditions(root)).rejects.toMatchObject({ code: 'STORAGE_CHECKSUMS' });
  }, 20_000);

  it('names the setting for a store that only multipart uploads with checksums fail in', async () => {
    const options = refusedWhere(
      ({ method, query, headers }) =>
        method === 'POST' && query.has('uploads') && headers['x-amz-checksum-algorithm'] !== undefined,
      400,
      'InvalidArgument',
    );
    await expectRefused(options, 'STORAGE_CHECKSUMS', 'AWS_REQUEST_CHECKSUM_CALCULATION=WHEN_REQUIRED in');
  });

  it('prefers the missing condition to the setting where a store lacks both', async () => {
    const options = refusedWhere(
      (request) => isPut(request) && (hasChecksum(request) || isCreation(request)),
      501,
      'NotImplemented',
    );
    await expectRefused(options, 'STORAGE_NO_CONDITIONS', '(If-None-Match');
  });

  it('does not blame checksums for replacements that a store takes and keeps otherwise', async () => {
    s3.double!.options = {
      keepInstead: (request, bytes) => (isReplacement(request) ? Buffer.from('something else') : bytes),
    };
    await expect(probeConditions(root)).rejects.toMatchObject({ code: 'STORAGE_WRITE_FAILED' });
  });

  it('leaves other failures as they are', async () => {
    s3.double!.options = refusedWhere(isPut, 403, 'AccessDenied');
    await expect(probeConditions(root)).rejects.toMatchObject({ code: 'STORAGE_ACCESS_DENIED' });
    s3.double!.options = refusedWhere(isReplacement, 403, 'AccessDenied');
    await expect(probeConditions(root)).rejects.toMatchObject({ code: 'STORAGE_ACCESS_DENIED' });
    s3.double!.options = {};
    await expect(probeConditions('s3://no-such-bucket/root')).rejects.toMatchObject({
      code: 'STORAGE_NOT_FOUND',
    });
  });
});

it('the S3 of these tests passes, but for what it is known to lack', async () => {
  const multipartIfAbsent = process.env.NCS4CVR_TEST_S3_LACKS !== 'conditional multipart';
  for (let calls = 0; calls < 2; calls++) {
    expect(await probeConditions(`s3://${s3.bucket}/probed`)).toEqual({ multipartIfAbsent });
  }
});

const folder = temporaryFolder();

it('the disk is not probed', async () => {
  expect(await probeConditions(folder)).toEqual({ multipartIfAbsent: true });
  expect(readdirSync(folder)).toEqual([]);
});
