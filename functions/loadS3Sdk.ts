import type { S3Sdk } from '../lib/storage/loadS3Sdk.ts';
import * as sdk from '../lib/storage/s3Sdk.ts';

/**
 * In packages, in the place of lib/storage/loadS3Sdk.ts: a function always uses S3, and what is imported like this is loaded faster
 * and leaves out more than what may be imported later.
 */
export function loadS3Sdk(): Promise<S3Sdk> {
  return Promise.resolve(sdk);
}
