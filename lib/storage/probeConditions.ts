import { randomUUID } from 'node:crypto';
import { StorageError } from '../base/errors.ts';
import { isRecord } from '../base/jsonDocument.ts';
import { checksumProblem, succeedsWithoutChecksums } from './probeChecksums.ts';
import { probeMultipart } from './probeMultipart.ts';
import { encryptionHeaders, type S3 } from './s3Client.ts';
import { httpStatus } from './s3Error.ts';
import { s3Storage } from './s3Storage.ts';
import { type ListedFile, type VersionedBytes, writeIfUnchanged } from './storage.ts';
import { joinUri, parseS3Uri, uriScheme } from './uri.ts';

/** What a store that can be published to lacks all the same. */
export interface ProbedConditions {
  /**
   * Whether a multipart upload can be completed only if absent. Parts can do without: a store that ignores it (radosgw 16)
   * writes the same bytes twice.
   */
  readonly multipartIfAbsent: boolean;
}

/** Below the root that is probed; hidden from listings and from other engines. */
const FOLDER = '.probe';
const RECORD = 'conditions.json';
const PROBE_VERSION = 1;
const RACERS = 4;

/**
 * Whether the store below a root keeps the conditions of writes, on which publishing relies: asked by writing, once per root.
 * A root that passed has `.probe/conditions.json`, so that later calls cost one GET. A probe leaves one object of a few
 * bytes beside it, since a publisher may not delete. Calls may run at the same time. The disk isn't probed.
 * @throws StorageError STORAGE_NO_CONDITIONS names the condition that is ignored or refused; STORAGE_CHECKSUMS names the
 * settings without which the store refuses or damages what the SDK sends
 */
export async function probeConditions(rootUri: string): Promise<ProbedConditions> {
  if (uriScheme(rootUri) !== 's3') return { multipartIfAbsent: true };
  const recordUri = joinUri(rootUri, FOLDER, RECORD);
  const before = await readRecord(recordUri);
  const known = before && parseRecord(before);
  if (known !== undefined) return known;
  const probed = await probe(joinUri(rootUri, FOLDER, randomUUID()));
  const bytes = Buffer.from(JSON.stringify({ probeVersion: PROBE_VERSION, ...probed }));
  // Of several probes that pass, any record will do.
  await writeIfUnchanged(s3Storage, recordUri, bytes, before?.version);
  return probed;
}

/** What probes have left below a root beside their record: one object each, which nobody needs. */
export async function listProbes(rootUri: string): Promise<ListedFile[]> {
  if (uriScheme(rootUri) !== 's3') return [];
  const found = await s3Storage.list(`${joinUri(rootUri, FOLDER)}/`);
  return found.filter(({ relativePath }) => relativePath !== RECORD);
}

/** @throws StorageError STORAGE_CHECKSUMS when only the SDK's check of what is read stands in the way */
async function readRecord(uri: string): Promise<VersionedBytes | undefined> {
  try {
    return await s3Storage.readVersioned(uri);
  } catch (error) {
    const { bucket: Bucket, key: Key } = parseS3Uri(uri);
    const isReadable = async ({ sdk, client }: S3) => {
      const { Body } = await client.send(new sdk.GetObjectCommand({ Bucket, Key }));
      return (await Body!.transformToByteArray()).length > 0;
    };
    throw (await checksumProblem(uri, error, isReadable)) ?? error;
  }
}

function parseRecord({ bytes }: VersionedBytes): ProbedConditions | undefined {
  try {
    const record: unknown = JSON.parse(Buffer.from(bytes).toString());
    if (!isRecord(record) || record.probeVersion !== PROBE_VERSION) return undefined;
    return { multipartIfAbsent: record.multipartIfAbsent === true };
  } catch {
    return undefined;
  }
}

/** @param uri of an object that isn't there, and that no other probe knows */
async function probe(uri: string): Promise<ProbedConditions> {
  const bytesOf = (text: string) => Buffer.from(`${text} of a probe\n`);
  const first = bytesOf('first write');
  const version = await s3Storage.createIfAbsent(uri, first).catch(async (error: unknown) => {
    throw await explain(uri, error, first);
  });
  if (version === undefined) throw noCondition(uri, IF_ABSENT, 'refused where there is no object');
  await expectBytes(uri, first);

  const second = await asked(uri, IF_ABSENT, s3Storage.createIfAbsent(uri, bytesOf('second write')));
  if (second !== undefined) throw noCondition(uri, IF_ABSENT, 'ignored: two writers have won');

  const letters = Array.from({ length: RACERS }, (_, index) => bytesOf(`replacement ${index}`));
  const races = letters.map((bytes) => s3Storage.replaceIfVersion(uri, bytes, version));
  const versions = await asked(uri, IF_MATCH, Promise.all(races));
  const winners = versions.filter((each) => each !== undefined).length;
  if (winners === 0) throw noCondition(uri, IF_MATCH, 'refused for the version that the object has');
  if (winners > 1) throw noCondition(uri, IF_MATCH, `ignored: ${winners} of ${RACERS} writers have won`);

  const stale = await asked(uri, IF_MATCH, s3Storage.replaceIfVersion(uri, bytesOf('stale write'), version));
  if (stale !== undefined) throw noCondition(uri, IF_MATCH, 'ignored: a stale version was replaced');
  await expectBytes(uri, letters[versions.findIndex((each) => each !== undefined)]!);
  return { multipartIfAbsent: await probeMultipart(uri) };
}

const IF_ABSENT = 'create if absent (If-None-Match: *)';
const IF_MATCH = 'replace if unchanged (If-Match)';

async function asked<T>(uri: string, condition: string, write: Promise<T>): Promise<T> {
  try {
    return await write;
  } catch (error) {
    throw isRefusal(error) ? noCondition(uri, condition, error.found ?? error.message, error) : error;
  }
}

async function expectBytes(uri: string, expected: Uint8Array): Promise<void> {
  const found = await s3Storage.readWhole(uri).catch(async (error: unknown) => {
    throw await explain(uri, error, expected);
  });
  if (Buffer.compare(found, expected) === 0) return;
  const damaged = new StorageError('STORAGE_WRITE_FAILED', 'the store keeps other bytes than were written', {
    file: uri,
    expected: `${expected.length} bytes as written`,
    found: `${found.length} bytes`,
  });
  throw await explain(uri, damaged, expected);
}

/** The failure, or what it comes from: checksums, or a condition that the store doesn't know. */
async function explain(uri: string, failure: unknown, bytes: Uint8Array): Promise<unknown> {
  const roundTrip =
    (condition: { IfNoneMatch?: '*' }) =>
    async ({ sdk, client }: S3) => {
      const { bucket, key } = parseS3Uri(uri);
      const at = { Bucket: bucket, Key: `${key}-${randomUUID()}` };
      await client.send(
        new sdk.PutObjectCommand({ ...at, Body: bytes, ...encryptionHeaders(), ...condition }),
      );
      const { Body } = await client.send(new sdk.GetObjectCommand(at));
      return Buffer.compare(await Body!.transformToByteArray(), bytes) === 0;
    };
  const problem = await checksumProblem(uri, failure, roundTrip({ IfNoneMatch: '*' }));
  if (problem !== undefined) return problem;
  if (!isRefusal(failure) || !(await succeedsWithoutChecksums(roundTrip({})))) return failure;
  return noCondition(uri, IF_ABSENT, failure.found ?? failure.message, failure);
}

/** Of a request that the store doesn't understand: bad request, method not allowed, not implemented. */
function isRefusal(failure: unknown): failure is StorageError {
  return failure instanceof StorageError && [400, 405, 501].includes(httpStatus(failure.cause) ?? 0);
}

function noCondition(uri: string, condition: string, found: string, cause?: unknown): StorageError {
  return new StorageError(
    'STORAGE_NO_CONDITIONS',
    'the store does not keep the conditions of writes, so nothing can be published there safely',
    { file: uri, expected: condition, found, cause },
  );
}
