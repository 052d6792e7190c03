import { StorageError } from '../base/errors.ts';
import { openS3With, type S3 } from './s3Client.ts';
import { httpStatus } from './s3Error.ts';

/**
 * What the SDK does by default since 2025 and other stores may not take: a CRC32 beside everything that is written, and a
 * check of what is read against a checksum in the answer. Both are settings of the environment or of ~/.aws/config.
 * https://docs.aws.amazon.com/sdkref/latest/guide/feature-dataintegrity.html
 */
const REQUEST = 'AWS_REQUEST_CHECKSUM_CALCULATION';
const RESPONSE = 'AWS_RESPONSE_CHECKSUM_VALIDATION';
/** The mildest first. */
const REMEDIES = [[RESPONSE], [REQUEST], [REQUEST, RESPONSE]] as const;

/**
 * Whether other checksum settings make work succeed that has failed, found by trying: stores answer what they can't take with
 * all sorts of errors, a wrong signature among them.
 * @param work resolves to whether it went right
 * @returns STORAGE_CHECKSUMS with the settings to use; undefined when the failure has another reason
 */
export async function checksumProblem(
  uri: string,
  failure: unknown,
  work: (s3: S3) => Promise<boolean>,
): Promise<StorageError | undefined> {
  // Work that succeeds as things are set has failed for another reason.
  if (!isWorthTrying(failure) || (await succeeds(work, []))) return undefined;
  for (const remedy of REMEDIES) {
    if (!(await succeeds(work, remedy))) continue;
    return new StorageError('STORAGE_CHECKSUMS', 'the store does not take the checksums of the AWS SDK', {
      file: uri,
      expected: `${remedy.map((name) => `${name}=WHEN_REQUIRED`).join(' and ')} in the environment`,
      found: failure.found ?? failure.message,
      cause: failure,
    });
  }
  return undefined;
}

/** Whether work succeeds without any checksum that isn't required. */
export function succeedsWithoutChecksums(work: (s3: S3) => Promise<boolean>): Promise<boolean> {
  return succeeds(work, [REQUEST, RESPONSE]);
}

/** Not where the store was only unreachable or overloaded. */
function isWorthTrying(failure: unknown): failure is StorageError {
  if (!(failure instanceof StorageError)) return false;
  const status = httpStatus(failure.cause);
  return status === undefined || status < 500 || status === 501;
}

async function succeeds(work: (s3: S3) => Promise<boolean>, settings: readonly string[]): Promise<boolean> {
  const s3 = await openS3With({
    maxAttempts: 2,
    ...(settings.includes(REQUEST) ? { requestChecksumCalculation: 'WHEN_REQUIRED' as const } : {}),
    ...(settings.includes(RESPONSE) ? { responseChecksumValidation: 'WHEN_REQUIRED' as const } : {}),
  });
  try {
    return await work(s3);
  } catch {
    // Why it fails under these settings too is of no interest: the caller has the failure under its own.
    return false;
  } finally {
    s3.client.destroy();
  }
}
