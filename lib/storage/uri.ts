import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { diskPath, uriScheme } from './diskPath.ts';

/**
 * Appends path segments to a folder's URI. Segments are names as they stand on disk: in a `file://` URI, what would mean
 * something else there (`#`, `?`, `%`) is encoded.
 */
export function joinUri(folder: string, ...segments: readonly string[]): string {
  if (uriScheme(folder) === 'file') return pathToFileURL(join(diskPath(folder), ...segments)).href;
  return [folder.replace(/\/+$/, ''), ...segments].join('/');
}

/** One spelling for all URIs of a file (relative or absolute, path or `file://`), to compare them. Links are not followed. */
export function fileKey(uri: string): string {
  return uriScheme(uri) === 's3' ? uri : resolve(diskPath(uri));
}

/** A relative path made absolute, so that a document which names it is right wherever it is read; URIs stay. */
export function absoluteUri(uri: string): string {
  return uriScheme(uri) === undefined ? resolve(uri) : uri;
}
