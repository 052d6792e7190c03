import { randomUUID } from 'node:crypto';
import { type RetryLaw, retry } from '../base/retry.ts';
import { encryptionHeaders, openS3 } from './s3Client.ts';
import { attemptsOf, isConditionFailure, isConflict, isMissing, s3Error } from './s3Error.ts';
import { parseS3Uri } from './uri.ts';

/** Names the call that wrote an object, so that a call whose answer was lost knows its own work. */
const WRITER = 'ncs4cvr-writer';
/** For a write that meets another one. */
const CONFLICT_LAW: RetryLaw = { attempts: 8, firstPauseMillis: 50, growth: 1.5, longestPauseMillis: 400 };

/** As `Storage.createIfAbsent`. */
export function createS3ObjectIfAbsent(uri: string, bytes: Uint8Array): Promise<string | undefined> {
  return putIf(uri, bytes, { IfNoneMatch: '*' });
}

/** As `Storage.replaceIfVersion`. S3 takes an ETag with and without its quotes, radosgw in a write only without. */
export function replaceS3ObjectIfVersion(
  uri: string,
  bytes: Uint8Array,
  version: string,
): Promise<string | undefined> {
  return putIf(uri, bytes, { IfMatch: version.replaceAll('"', '') });
}

/**
 * A condition that fails after a repeated request doesn't say who won: the request may have lost to its own first try,
 * whose answer never came.
 */
async function putIf(
  uri: string,
  bytes: Uint8Array,
  condition: { IfNoneMatch: '*' } | { IfMatch: string },
): Promise<string | undefined> {
  const { bucket, key } = parseS3Uri(uri);
  const at = { Bucket: bucket, Key: key };
  const writer = randomUUID();
  const input = { ...at, Body: bytes, Metadata: { [WRITER]: writer }, ...encryptionHeaders(), ...condition };
  let tries = 0;
  const put = async () => {
    tries++;
    const { sdk, client } = await openS3();
    return (await client.send(new sdk.PutObjectCommand(input))).ETag!;
  };
  try {
    return await retry(put, CONFLICT_LAW, { isWorthwhile: isConflict });
  } catch (error) {
    if (!isConditionFailure(error) && !isMissing(error)) throw s3Error(error, uri, 'STORAGE_WRITE_FAILED');
    if (tries === 1 && (attemptsOf(error) ?? 1) === 1) return undefined;
    const { sdk, client } = await openS3();
    const now = await client.send(new sdk.HeadObjectCommand(at)).catch(() => undefined);
    return now?.Metadata?.[WRITER] === writer ? now.ETag! : undefined;
  }
}
