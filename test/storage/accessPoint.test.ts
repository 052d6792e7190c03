import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { storageFor, writeWhole } from '../../lib/storage/openStorage.ts';
import { closeS3, openS3 } from '../../lib/storage/s3Client.ts';
import { s3Storage } from '../../lib/storage/s3Storage.ts';
import { absoluteUri, joinUri, parseS3Uri } from '../../lib/storage/uri.ts';

const ARN = 'arn:aws:s3:eu-west-1:123456789012:accesspoint/my-scores';
const HOST = 'my-scores-123456789012.s3-accesspoint.eu-west-1.amazonaws.com';

describe('an access point', () => {
  it('is a bucket by its ARN, with and without a key', () => {
    expect(parseS3Uri(`s3://${ARN}/a/b c.parquet`)).toEqual({ bucket: ARN, key: 'a/b c.parquet' });
    expect(parseS3Uri(`s3://${ARN}/`)).toEqual({ bucket: ARN, key: '' });
    expect(parseS3Uri(`s3://${ARN}`)).toEqual({ bucket: ARN, key: '' });
    const inChina = ARN.replace('aws', 'aws-cn').replace('eu-west-1', 'cn-north-1');
    expect(parseS3Uri(`s3://${inChina}/k`)).toEqual({ bucket: inChina, key: 'k' });
    expect(joinUri(`s3://${ARN}/`, 'dt=2024-03-01', 'a.parquet')).toBe(`s3://${ARN}/dt=2024-03-01/a.parquet`);
    expect(absoluteUri(`s3://${ARN}/a`)).toBe(`s3://${ARN}/a`);
    expect(storageFor(`s3://${ARN}`)).toBe(s3Storage);
  });

  it.each([
    ['of several regions', 'arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap'],
    ['on Outposts', 'arn:aws:s3-outposts:eu-west-1:123456789012:outpost/op-1/accesspoint/my-scores'],
    ['of Object Lambda', 'arn:aws:s3-object-lambda:eu-west-1:123456789012:accesspoint/my-scores'],
    ['without a name', 'arn:aws:s3:eu-west-1:123456789012:accesspoint/'],
    ['without an account', 'arn:aws:s3:eu-west-1::accesspoint/my-scores'],
    ['that is a bucket', 'arn:aws:s3:::my-bucket'],
  ])('%s is refused, with its ARN', (_title, arn) => {
    expect(() => storageFor(`s3://${arn}/key`)).toThrow(
      expect.objectContaining({ code: 'STORAGE_URI_INVALID', location: { file: `s3://${arn}/key` } }),
    );
  });
});

describe('requests to an access point', () => {
  const before = { ...process.env };
  const sent: { readonly method: string; readonly hostname: string; readonly path: string }[] = [];

  beforeAll(() => {
    delete process.env.AWS_ENDPOINT_URL_S3;
    delete process.env.AWS_ENDPOINT_URL;
    Object.assign(process.env, {
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'a',
      AWS_SECRET_ACCESS_KEY: 'b',
    });
  });
  afterEach(async () => {
    sent.length = 0;
    delete process.env.AWS_ENDPOINT_URL_S3;
    await closeS3();
  });
  afterAll(() => {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
    Object.assign(process.env, before);
  });

  /** Requests go nowhere: each is noted as it would be sent, and gets an empty answer. */
  async function interceptRequests(): Promise<void> {
    await closeS3();
    const { client } = await openS3();
    client.middlewareStack.add(
      () =>
        async ({ request }) => {
          sent.push(request as (typeof sent)[number]);
          const modified = new Date(0);
          const output = { $metadata: {}, ContentLength: 0, ETag: '"e"', LastModified: modified, Body: [] };
          return { response: {}, output } as never;
        },
      { step: 'finalizeRequest', priority: 'low' },
    );
  }

  it("go to the access point's own host in its own region, whatever the call", async () => {
    await interceptRequests();
    const uri = `s3://${ARN}/day/a b.parquet`;
    await s3Storage.open(uri);
    await s3Storage.readWhole(uri);
    await writeWhole(uri, Buffer.from('x'));
    await s3Storage.createIfAbsent(uri, Buffer.from('x'));
    await s3Storage.remove(uri);
    expect(await s3Storage.list(`s3://${ARN}/day/`)).toEqual([]);
    expect(sent.map(({ method, hostname, path }) => [method, hostname, path])).toEqual([
      ['HEAD', HOST, '/day/a%20b.parquet'],
      ['GET', HOST, '/day/a%20b.parquet'],
      ['PUT', HOST, '/day/a%20b.parquet'],
      ['PUT', HOST, '/day/a%20b.parquet'],
      ['DELETE', HOST, '/day/a%20b.parquet'],
      ['GET', HOST, '/'],
    ]);
  });

  it.each([
    ["that an endpoint of one's own can't have", 'http://127.0.0.1:9', ARN],
    ['of another partition', undefined, ARN.replace('aws', 'aws-cn').replace('eu-west-1', 'cn-north-1')],
  ])('%s are refused without a second try', async (_title, endpoint, arn) => {
    if (endpoint !== undefined) process.env.AWS_ENDPOINT_URL_S3 = endpoint;
    await interceptRequests();
    for (const call of [
      () => s3Storage.open(`s3://${arn}/key`),
      () => s3Storage.readWhole(`s3://${arn}/key`),
      () => s3Storage.createIfAbsent(`s3://${arn}/key`, Buffer.from('x')),
    ]) {
      await expect(call()).rejects.toMatchObject({ code: 'STORAGE_URI_INVALID', retryable: false });
    }
    expect(sent).toEqual([]);
  });
});
