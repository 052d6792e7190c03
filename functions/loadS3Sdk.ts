import { createRequire } from 'node:module';
import type { S3Sdk } from '../lib/storage/loadS3Sdk.ts';

const require = createRequire(import.meta.url);
/** Of the package. */
const LOADER = './loadCompiled.cjs';
let loaded: S3Sdk | undefined;

/**
 * In packages, in the place of lib/storage/loadS3Sdk.ts: the SDK is a script of its own beside the function's and its threads',
 * with code that V8 has compiled, and a thread that has its shards' bytes doesn't wait for it.
 */
export async function loadS3Sdk(): Promise<S3Sdk> {
  loaded ??= require(LOADER)('s3Sdk.js') as S3Sdk;
  return loaded;
}
