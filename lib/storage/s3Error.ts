import { messageOf, StorageError } from '../base/errors.ts';

interface S3Failure {
  readonly name?: string;
  readonly $metadata?: {
    readonly httpStatusCode?: number;
    readonly requestId?: string;
    readonly attempts?: number;
  };
}

/** HTTP status of an S3 answer; undefined when there was none. */
export function httpStatus(thrown: unknown): number | undefined {
  return (thrown as S3Failure | undefined)?.$metadata?.httpStatusCode;
}

/** How often the SDK sent the request. */
export function attemptsOf(thrown: unknown): number | undefined {
  return (thrown as S3Failure | undefined)?.$metadata?.attempts;
}

/** A conditional write whose condition didn't hold. */
export function isConditionFailure(thrown: unknown): boolean {
  return httpStatus(thrown) === 412;
}

/** A conditional write that met another one: nobody may have won, and S3 asks to repeat it. */
export function isConflict(thrown: unknown): boolean {
  return httpStatus(thrown) === 409;
}

export function isMissing(thrown: unknown): boolean {
  const { name } = (thrown ?? {}) as S3Failure;
  return httpStatus(thrown) === 404 && name !== 'NoSuchBucket';
}

/** Of S3 when a connection is slow, and of KMS behind it. */
const LATER = /Throttl|RequestTimeout|LimitExceeded/;

/** Turns what the SDK threw into a StorageError; StorageErrors pass through unchanged. */
export function s3Error(
  thrown: unknown,
  uri: string,
  fallback: 'STORAGE_READ_FAILED' | 'STORAGE_WRITE_FAILED',
): StorageError {
  if (thrown instanceof StorageError) return thrown;
  const status = httpStatus(thrown);
  const { name = '', $metadata } = (thrown ?? {}) as S3Failure;
  const details = {
    file: uri,
    found: [name === 'Error' ? '' : name, status, messageOf(thrown), $metadata?.requestId]
      .filter((text) => text !== '' && text !== undefined)
      .join(', '),
    cause: thrown,
  };
  if (name === 'NoSuchBucket')
    return new StorageError('STORAGE_NOT_FOUND', 'there is no such bucket', details);
  if (status === 404) return new StorageError('STORAGE_NOT_FOUND', 'there is no such object', details);
  // Who is refused for its class is no one who lacks a right.
  if (name === 'InvalidObjectState') {
    return new StorageError(
      'STORAGE_ARCHIVED',
      'the object is in an archive, from which it has to be restored before it is read',
      details,
    );
  }
  if (status === 401 || status === 403 || name === 'CredentialsProviderError') {
    return new StorageError('STORAGE_ACCESS_DENIED', 'access is denied', details);
  }
  if (name === 'EndpointError' || /Path-style addressing .* ARN/.test(messageOf(thrown))) {
    return new StorageError('STORAGE_URI_INVALID', 'the bucket or access point has no address here', {
      ...details,
      expected:
        "an access point in the partition of AWS_REGION, and no endpoint of one's own (AWS_ENDPOINT_URL)",
    });
  }
  const summary = fallback === 'STORAGE_READ_FAILED' ? 'reading failed' : 'writing failed';
  // No answer at all, or one that says "later", after all attempts of the SDK. Some say it with a status of the caller's fault.
  const retryable =
    status === undefined || status >= 500 || status === 429 || status === 409 || LATER.test(name);
  return new StorageError(fallback, summary, { ...details, retryable });
}
