import { storageFor } from '../../../lib/storage/openStorage.ts';

/** A JSON array in S3, such as a plan's units. */
export async function readS3Json(bucket: string, key: string): Promise<unknown[]> {
  const uri = `s3://${bucket}/${key}`;
  return JSON.parse(Buffer.from(await storageFor(uri).readWhole(uri)).toString());
}
