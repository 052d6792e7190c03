import { basename } from 'node:path';
import type { ListObjectsV2CommandInput, ListObjectsV2CommandOutput } from '@aws-sdk/client-s3';
import { StorageError } from '../base/errors.ts';
import { createS3File } from './s3AtomicFile.ts';
import { fillFromBody, withBodyRetries } from './s3Body.ts';
import { openS3, type S3 } from './s3Client.ts';
import { createS3ObjectIfAbsent, replaceS3ObjectIfVersion } from './s3ConditionalWrite.ts';
import { httpStatus, isMissing, s3Error } from './s3Error.ts';
import { openS3File } from './s3File.ts';
import type { DatedStat, ListedFile, Storage, VersionedBytes } from './storage.ts';
import { isHidden } from './storage.ts';
import { folderPrefix, parseS3Uri, type S3Location } from './uri.ts';

/** What one DeleteObjects call takes. */
const DELETES_AT_A_TIME = 1000;

/**
 * S3 and what speaks its protocol, by `s3://bucket/key`. Reads are pinned to the ETag that the object had when it was
 * opened. Needs strong consistency and conditional writes (If-None-Match, If-Match), as S3 has since 2024.
 *
 * Throws StorageError: STORAGE_NOT_FOUND, STORAGE_NOT_A_FILE, STORAGE_ACCESS_DENIED, STORAGE_READ_FAILED,
 * STORAGE_WRITE_FAILED, STORAGE_SHORT_READ, STORAGE_FILE_CHANGED, STORAGE_URI_INVALID.
 */
export const s3Storage: Storage = {
  open: openS3File,
  createAtomic: createS3File,

  stat: (uri) =>
    reading(uri, async (s3, at) => {
      // A HEAD of a bucket is answered, too, but not as one of an object.
      if (at.key === '') return undefined;
      const found = await head(s3, at);
      return found && { sizeBytes: found.sizeBytes, version: found.version };
    }),

  list: (uri) =>
    reading(uri, async (s3, at) => {
      const isFolder = at.key === '' || at.key.endsWith('/');
      // Who may read what is below a folder needn't have the right to ask for an object of its name.
      let denial: unknown;
      const file = isFolder
        ? undefined
        : await head(s3, at).catch((error: unknown) => {
            if (httpStatus(error) !== 403) throw error;
            denial = error;
            return undefined;
          });
      if (file !== undefined) return [{ uri, relativePath: basename(at.key), ...file }];
      const prefix = folderPrefix(at.key);
      const root = `s3://${at.bucket}/${prefix}`;
      const found: ListedFile[] = [];
      for await (const { key, ...file } of listKeys(s3, { bucket: at.bucket, key: prefix })) {
        const relativePath = key.slice(prefix.length);
        // Consoles mark folders by empty objects whose key ends with a slash.
        if (relativePath === '' || relativePath.endsWith('/')) continue;
        if (relativePath.split('/').some(isHidden)) continue;
        found.push({ uri: root + relativePath, relativePath, ...file });
      }
      if (denial !== undefined && found.length === 0) throw denial;
      return found;
    }),

  listFolders: (uri, onFile) =>
    reading(uri, async (s3, { bucket, key }) => {
      const prefix = folderPrefix(key);
      const names: string[] = [];
      for await (const { CommonPrefixes = [], Contents = [] } of listPages(s3, {
        Bucket: bucket,
        Prefix: prefix,
        Delimiter: '/',
      })) {
        names.push(...CommonPrefixes.map(({ Prefix }) => Prefix!.slice(prefix.length, -1)));
        for (const { Key } of Contents) {
          // Consoles mark the folder itself by an empty object of its name.
          if (Key !== prefix) onFile?.(Key!.slice(prefix.length));
        }
      }
      return names;
    }),

  readWhole: (uri) =>
    reading(uri, async (s3, at) => {
      const found = await get(s3, at, uri);
      if (found !== undefined) return found.bytes;
      throw new StorageError('STORAGE_NOT_FOUND', 'there is no such object', { file: uri });
    }),

  readVersioned: (uri) => reading(uri, (s3, at) => get(s3, at, uri)),

  createIfAbsent: createS3ObjectIfAbsent,
  replaceIfVersion: replaceS3ObjectIfVersion,

  exists: (uri) =>
    reading(uri, async (s3, at) => {
      if (at.key !== '' && (await head(s3, at)) !== undefined) return true;
      for await (const _ of listKeys(s3, { bucket: at.bucket, key: folderPrefix(at.key) }, 1)) return true;
      return false;
    }),

  remove: (uri) =>
    writing(uri, async ({ sdk, client }, { bucket, key }) => {
      await client.send(new sdk.DeleteObjectCommand({ Bucket: bucket, Key: key }));
    }),

  removeFolder: (uri) =>
    writing(uri, async (s3, { bucket, key }) => {
      let keys: string[] = [];
      for await (const found of listKeys(s3, { bucket, key: folderPrefix(key) })) {
        keys.push(found.key);
        if (keys.length < DELETES_AT_A_TIME) continue;
        await removeKeys(s3, bucket, keys);
        keys = [];
      }
      if (keys.length > 0) await removeKeys(s3, bucket, keys);
    }),
};

type Work<T> = (s3: S3, at: S3Location) => Promise<T>;

const reading = <T>(uri: string, work: Work<T>) => withS3(uri, work, 'STORAGE_READ_FAILED');
const writing = <T>(uri: string, work: Work<T>) => withS3(uri, work, 'STORAGE_WRITE_FAILED');

async function withS3<T>(
  uri: string,
  work: Work<T>,
  fallback: 'STORAGE_READ_FAILED' | 'STORAGE_WRITE_FAILED',
): Promise<T> {
  const at = parseS3Uri(uri);
  try {
    return await work(await openS3(), at);
  } catch (error) {
    throw s3Error(error, uri, fallback);
  }
}

async function head({ sdk, client }: S3, { bucket, key }: S3Location): Promise<DatedStat | undefined> {
  try {
    const found = await client.send(new sdk.HeadObjectCommand({ Bucket: bucket, Key: key }));
    return {
      sizeBytes: found.ContentLength!,
      version: found.ETag!,
      modifiedMillis: found.LastModified!.getTime(),
    };
  } catch (error) {
    // HEAD has no body that could tell a missing bucket from a missing key: the next call will.
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** A missing object is undefined: an error would be retried for nothing, or lose its name. */
function get(
  { sdk, client }: S3,
  { bucket, key }: S3Location,
  uri: string,
): Promise<VersionedBytes | undefined> {
  return withBodyRetries(
    async () => {
      const command = new sdk.GetObjectCommand({ Bucket: bucket, Key: key });
      const answer = await client.send(command).catch((error: unknown) => {
        if (!isMissing(error)) throw error;
        return undefined;
      });
      if (answer === undefined) return undefined;
      const bytes = new Uint8Array(answer.ContentLength!);
      await fillFromBody(bytes, answer.Body as AsyncIterable<Uint8Array>, uri);
      return { bytes, version: answer.ETag! };
    },
    (error) => s3Error(error, uri, 'STORAGE_READ_FAILED'),
  );
}

interface ListedKey extends DatedStat {
  readonly key: string;
}

/** In binary order of the keys, as S3 lists them. */
async function* listKeys(
  s3: S3,
  { bucket, key: prefix }: S3Location,
  limit?: number,
): AsyncGenerator<ListedKey> {
  const input = { Bucket: bucket, Prefix: prefix, ...(limit === undefined ? {} : { MaxKeys: limit }) };
  for await (const { Contents = [] } of listPages(s3, input)) {
    for (const { Key, Size, ETag, LastModified } of Contents) {
      yield {
        key: Key!,
        sizeBytes: Size!,
        version: ETag!,
        modifiedMillis: LastModified!.getTime(),
      };
    }
  }
}

async function* listPages(
  { sdk, client }: S3,
  input: ListObjectsV2CommandInput,
): AsyncGenerator<ListObjectsV2CommandOutput> {
  let token: string | undefined;
  do {
    const page = await client.send(new sdk.ListObjectsV2Command({ ...input, ContinuationToken: token }));
    yield page;
    token = page.IsTruncated ? page.NextContinuationToken : undefined;
  } while (token !== undefined);
}

async function removeKeys({ sdk, client }: S3, bucket: string, keys: readonly string[]): Promise<void> {
  const Delete = { Objects: keys.map((Key) => ({ Key })), Quiet: true };
  const { Errors = [] } = await client.send(new sdk.DeleteObjectsCommand({ Bucket: bucket, Delete }));
  const [first] = Errors;
  if (first !== undefined) throw new Error(`${first.Key}: ${first.Code} ${first.Message}`);
}
