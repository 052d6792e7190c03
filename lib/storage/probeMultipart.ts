import { checksumProblem } from './probeChecksums.ts';
import { encryptionHeaders, openS3, type S3 } from './s3Client.ts';
import { isConditionFailure, s3Error } from './s3Error.ts';
import { parseS3Uri } from './uri.ts';

/**
 * Whether a store refuses to complete a multipart upload "if absent" where there is an object, as lib-storage's Upload asks
 * for it. Where it doesn't, the object has other bytes afterwards.
 * @param uri of an object that is there
 * @throws StorageError when it can't be asked, STORAGE_CHECKSUMS among others
 */
export async function probeMultipart(uri: string): Promise<boolean> {
  try {
    return await isRefused(await openS3(), uri);
  } catch (thrown) {
    const error = s3Error(thrown, uri, 'STORAGE_WRITE_FAILED');
    const isAnswered = async (s3: S3) => (await isRefused(s3, uri)) !== undefined;
    throw (await checksumProblem(uri, error, isAnswered)) ?? error;
  }
}

async function isRefused({ sdk, client }: S3, uri: string): Promise<boolean> {
  const { bucket: Bucket, key: Key } = parseS3Uri(uri);
  const isChecked = (await client.config.requestChecksumCalculation()) === 'WHEN_SUPPORTED';
  const { UploadId } = await client.send(
    new sdk.CreateMultipartUploadCommand({
      Bucket,
      Key,
      ...encryptionHeaders(),
      ...(isChecked ? { ChecksumAlgorithm: 'CRC32' as const } : {}),
    }),
  );
  const upload = { Bucket, Key, UploadId };
  try {
    // The last part of an upload may be of any size, and it is the only one.
    const Body = Buffer.from('upload of a probe\n');
    const { ETag, ChecksumCRC32 } = await client.send(
      new sdk.UploadPartCommand({ ...upload, PartNumber: 1, Body }),
    );
    const part = { ETag, PartNumber: 1, ...(ChecksumCRC32 === undefined ? {} : { ChecksumCRC32 }) };
    await client.send(
      new sdk.CompleteMultipartUploadCommand({
        ...upload,
        IfNoneMatch: '*',
        MultipartUpload: { Parts: [part] },
      }),
    );
    return false;
  } catch (error) {
    // What can't be aborted is removed by the bucket's lifecycle rule.
    await client.send(new sdk.AbortMultipartUploadCommand(upload)).catch(() => undefined);
    if (isConditionFailure(error)) return true;
    throw error;
  }
}
