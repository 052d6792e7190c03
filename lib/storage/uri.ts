import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { z } from 'zod';
import { messageOf, StorageError } from '../base/errors.ts';

/** At least two characters: 'C:\data' is a path. */
const SCHEME = /^([a-z][a-z0-9+.-]+):\/\//i;

/** The URI's scheme in lower case, undefined for a plain path. */
export function uriScheme(uri: string): string | undefined {
  return SCHEME.exec(uri)?.[1]?.toLowerCase();
}

/**
 * The path on disk that a `file://` URI or a plain path names. Plain paths are taken literally: no percent-decoding.
 * @throws StorageError STORAGE_SCHEME_UNSUPPORTED, STORAGE_URI_INVALID
 */
export function diskPath(uri: string): string {
  const scheme = uriScheme(uri);
  if (scheme === undefined) return uri;
  if (scheme !== 'file') {
    throw new StorageError('STORAGE_SCHEME_UNSUPPORTED', 'this storage is not supported', {
      file: uri,
      expected: 'a path, a file:// or an s3:// URI',
      found: `${scheme}://`,
    });
  }
  try {
    return fileURLToPath(uri);
  } catch (cause) {
    throw new StorageError('STORAGE_URI_INVALID', 'not a usable file URI', {
      file: uri,
      expected: 'file:///absolute/path',
      found: messageOf(cause),
      cause,
    });
  }
}

export interface S3Location {
  /** A bucket's name, an access point's alias, or its ARN, as the SDK takes them. */
  readonly bucket: string;
  /** Without a leading slash; empty for the bucket itself. */
  readonly key: string;
}

/**
 * Of a regional access point. A multi-region one has no region: it needs signatures (SigV4a) that nothing here makes, and
 * keeps no conditions across its regions.
 */
const ACCESS_POINT = /^arn:aws[a-z-]*:s3:[a-z0-9-]+:\d{12}:accesspoint\/[a-z0-9-]+$/;

/**
 * Bucket and key of `s3://bucket/key` or `s3://arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME/key`. The key is taken literally:
 * nothing is decoded, `//` and `..` mean themselves.
 * @throws StorageError STORAGE_URI_INVALID
 */
export function parseS3Uri(uri: string): S3Location {
  const [, bucket, key = ''] = /^s3:\/\/(arn:[^/]*\/[^/]+|[^/]+)(?:\/(.*))?$/is.exec(uri) ?? [];
  if (bucket === undefined) {
    throw new StorageError('STORAGE_URI_INVALID', 'not a usable S3 URI', {
      file: uri,
      expected: 's3://bucket/key',
    });
  }
  if (bucket.startsWith('arn:') && !ACCESS_POINT.test(bucket)) {
    throw new StorageError('STORAGE_URI_INVALID', 'not a usable S3 access point', {
      file: uri,
      expected: 's3://arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME/key',
      found: bucket,
    });
  }
  return { bucket, key };
}

/** The key as a folder: its prefix ends with a slash, or is empty for the bucket itself. */
export function folderPrefix(key: string): string {
  return key === '' || key.endsWith('/') ? key : `${key}/`;
}

/**
 * A URI that means a folder and no file. Of a name without a slash at its end S3 is asked for an object first, which nobody may
 * read whose rights begin below the folder: a role of the stack doesn't learn then that there is none, but is refused.
 */
export function folderUri(uri: string): string {
  return uriScheme(uri) === 's3' ? `${uri.replace(/\/+$/, '')}/` : uri;
}

/**
 * Appends path segments to a folder's URI. Segments are names as they stand on disk: in a `file://` URI, what would mean
 * something else there (`#`, `?`, `%`) is encoded.
 */
export function joinUri(folder: string, ...segments: readonly string[]): string {
  if (uriScheme(folder) === 'file') return pathToFileURL(join(diskPath(folder), ...segments)).href;
  return [folder.replace(/\/+$/, ''), ...segments].join('/');
}

/** The URI of a path below a folder, with forward slashes as in `ListedFile.relativePath`. */
export function joinPath(folder: string, path: string): string {
  return joinUri(folder, ...path.split('/'));
}

/** What stands behind the last slash of a path or URI. */
export function fileName(uri: string): string {
  return uri.slice(uri.lastIndexOf('/') + 1);
}

/** One spelling for all URIs of a file (relative or absolute, path or `file://`), to compare them. Links are not followed. */
export function fileKey(uri: string): string {
  return uriScheme(uri) === 's3' ? uri : resolve(diskPath(uri));
}

/** A relative path made absolute, so that a document which names it is right wherever it is read; URIs stay. */
export function absoluteUri(uri: string): string {
  return uriScheme(uri) === undefined ? resolve(uri) : uri;
}

/**
 * Path of a shard below its folder, as a listing names it: no segment of it leads out. S3 also takes empty ones, as of a writer that
 * joins `day/` and `/part.parquet`.
 */
export const shardPathSchema = z
  .string()
  .refine(
    (path) => path.split('/').every((name) => !['.', '..'].includes(name)) && !/(^|\/)$/.test(path),
    'expected a path within a folder',
  );

/** A path below some folder: no segment of it leads out. */
export const pathSchema = z
  .string()
  .refine(
    (path) => path.split('/').every((name) => !['', '.', '..'].includes(name)),
    'expected a path within a folder',
  );
