import type { GetObjectCommandInput, S3Client } from '@aws-sdk/client-s3';
import type { S3Sdk } from './loadS3Sdk.ts';

interface Redirect {
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: { readonly headers?: Readonly<Record<string, string | undefined>> };
}

/**
 * Lets a client read and write buckets of other regions: S3 answers where a bucket isn't with the region in which it is, and the
 * request is sent again there, those that follow at once. The SDK's own `followRegionRedirects` changes the region of the whole
 * client while such a request is under way, so that requests to other buckets beside it go to the wrong place; here each region
 * has a client of its own.
 * @param openIn a client for another region
 */
export function followBucketRegion(client: S3Client, sdk: S3Sdk, openIn: (region: string) => S3Client): void {
  const regions = new Map<string, string>();
  const clients = new Map<string, S3Client>();
  const clientIn = (region: string): S3Client => {
    const known = clients.get(region) ?? openIn(region);
    clients.set(region, known);
    return known;
  };
  client.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        const { Bucket: bucket = '' } = args.input as { readonly Bucket?: string };
        let region = regions.get(bucket);
        if (region === undefined) {
          try {
            return await next(args);
          } catch (error) {
            region = bucketRegion(error);
            if (region === undefined || region === (await client.config.region())) throw error;
            regions.set(bucket, region);
          }
        }
        // Any of the commands: their names are those that the SDK exports.
        const Again = sdk[commandName as 'GetObjectCommand'];
        const output = await clientIn(region).send(new Again(args.input as GetObjectCommandInput));
        return { response: undefined, output };
      },
    { step: 'initialize', name: 'followBucketRegion' },
  );
  const destroy = client.destroy.bind(client);
  client.destroy = () => {
    for (const other of clients.values()) other.destroy();
    destroy();
  };
}

/** Of an answer that sends a request elsewhere. A request that was signed for another region may be a bad one, too. */
function bucketRegion(thrown: unknown): string | undefined {
  const { $metadata, $response } = (thrown ?? {}) as Redirect;
  const status = $metadata?.httpStatusCode;
  if (status !== 301 && status !== 307 && status !== 400) return undefined;
  return $response?.headers?.['x-amz-bucket-region'];
}
