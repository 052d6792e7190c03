import { StorageError } from '../errors.ts';

export interface S3Location {
  readonly bucket: string;
  /** Without a leading slash; empty for the bucket itself. */
  readonly key: string;
}

/**
 * Bucket and key of `s3://bucket/key`. The key is taken literally: nothing is decoded, `//` and `..` mean themselves.
 * @throws StorageError STORAGE_URI_INVALID
 */
export function parseS3Uri(uri: string): S3Location {
  const [, bucket, key = ''] = /^s3:\/\/([^/]+)(?:\/(.*))?$/is.exec(uri) ?? [];
  if (bucket !== undefined) return { bucket, key };
  throw new StorageError('STORAGE_URI_INVALID', 'not a usable S3 URI', {
    file: uri,
    expected: 's3://bucket/key',
  });
}

/** The key as a folder: its prefix ends with a slash, or is empty for the bucket itself. */
export function folderPrefix(key: string): string {
  return key === '' || key.endsWith('/') ? key : `${key}/`;
}
