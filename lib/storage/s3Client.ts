import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3';
import { followBucketRegion } from './followBucketRegion.ts';
import { loadS3Sdk, type S3Sdk } from './loadS3Sdk.ts';

/** The SDK and one client of it. */
export interface S3 {
  readonly sdk: S3Sdk;
  readonly client: S3Client;
}

/** A request is tried this often in all, with the SDK's jittered backoff in between. */
const ATTEMPTS = 6;
const CONNECTION_TIMEOUT_MILLIS = 5_000;
/** Without a byte for this long, a connection counts as dead. */
const SOCKET_TIMEOUT_MILLIS = 30_000;

let opened: Promise<S3> | undefined;

/**
 * The process's S3 client. Region, credentials and endpoint come from where the SDK looks for them (environment, profile,
 * role); an endpoint of its own (AWS_ENDPOINT_URL_S3) is addressed by path, as other S3s want it. The SDK is loaded
 * with the first use: local runs don't wait for it.
 */
export function openS3(): Promise<S3> {
  opened ??= createS3().catch((error: unknown) => {
    opened = undefined;
    throw error;
  });
  return opened;
}

/**
 * Forgets the client, for a process whose endpoint or credentials have changed.
 * @internal exported for tests, each of which has an endpoint of its own
 */
export async function closeS3(): Promise<void> {
  const closing = opened;
  opened = undefined;
  (await closing)?.client.destroy();
}

/** A client of one's own with other settings; whoever opens it destroys it. */
export function openS3With(settings: S3ClientConfig): Promise<S3> {
  return createS3(settings);
}

async function createS3(settings: S3ClientConfig = {}): Promise<S3> {
  // The pinned SDK supports this Node: a warning that later ones won't doesn't belong above every command's output.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
  const sdk = await loadS3Sdk();
  const { AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL } = process.env;
  const config: S3ClientConfig = {
    forcePathStyle: (AWS_ENDPOINT_URL_S3 ?? AWS_ENDPOINT_URL) !== undefined,
    maxAttempts: ATTEMPTS,
    requestHandler: {
      connectionTimeout: CONNECTION_TIMEOUT_MILLIS,
      socketTimeout: SOCKET_TIMEOUT_MILLIS,
    },
    ...settings,
  };
  const client = new sdk.S3Client(config);
  followBucketRegion(client, sdk, (region) => new sdk.S3Client({ ...config, region }));
  return { sdk, client };
}

/** How new objects are encrypted: by NCS4CVR_S3_SSE (`AES256`, `aws:kms`) and NCS4CVR_S3_KMS_KEY_ID, else as the bucket says. */
export function encryptionHeaders(): {
  ServerSideEncryption?: 'AES256' | 'aws:kms';
  SSEKMSKeyId?: string;
} {
  const { NCS4CVR_S3_SSE: sse, NCS4CVR_S3_KMS_KEY_ID: keyId } = process.env;
  if (sse !== 'AES256' && sse !== 'aws:kms') return {};
  return { ServerSideEncryption: sse, ...(keyId === undefined ? {} : { SSEKMSKeyId: keyId }) };
}
