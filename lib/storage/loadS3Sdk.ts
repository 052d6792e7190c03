/** What is used of the SDK for S3, as a module's exports. */
export type S3Sdk = typeof import('./s3Sdk.ts');

/**
 * Loads the SDK when it is first asked for, so that work on local files doesn't wait for it. A function's package has
 * functions/loadS3Sdk.ts in this module's place.
 */
export function loadS3Sdk(): Promise<S3Sdk> {
  return import('./s3Sdk.ts');
}
