import { randomUUID } from 'node:crypto';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll } from 'vitest';
import { closeS3 } from '../../../lib/storage/s3Client.ts';
import { S3Double, type S3DoubleOptions } from './s3Double.ts';

export interface TestEndpoint {
  readonly bucket: string;
  /** Undefined when the tests run against an endpoint given by the environment. */
  readonly double: S3Double | undefined;
  readonly client: S3Client;
}

/**
 * An S3 for the tests of a file: the double, or the endpoint of NCS4CVR_TEST_S3_ENDPOINT with the usual AWS_*
 * credentials. The project's own client is pointed at it too.
 */
export function testEndpoint(options: S3DoubleOptions = {}): TestEndpoint {
  const bucket = `ncs4cvr-test-${randomUUID().slice(0, 8)}`;
  const given = process.env.NCS4CVR_TEST_S3_ENDPOINT;
  const before = { ...process.env };
  let double: S3Double | undefined;
  let client: S3Client | undefined;
  beforeAll(async () => {
    if (given === undefined) double = await S3Double.start([bucket], options);
    process.env.AWS_ENDPOINT_URL_S3 = given ?? double!.endpoint;
    process.env.AWS_REGION ??= 'us-east-1';
    process.env.AWS_ACCESS_KEY_ID ??= 'test';
    process.env.AWS_SECRET_ACCESS_KEY ??= 'test';
    await closeS3();
    client = new S3Client({ forcePathStyle: true });
    if (given !== undefined) await client.send(new CreateBucketCommand({ Bucket: bucket }));
  });
  afterAll(async () => {
    await closeS3();
    client?.destroy();
    await double?.stop();
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
    Object.assign(process.env, before);
  });
  return {
    bucket,
    get double() {
      return double;
    },
    get client() {
      return client!;
    },
  };
}
