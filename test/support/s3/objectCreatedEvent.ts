import type { StoredObject } from './s3Bucket.ts';

/** The notification that S3 sends for an object, as far as anyone may read it. @param sequence of the events of all keys */
export function objectCreatedEvent(
  bucket: string,
  key: string,
  { bytes, etag, lastModified }: StoredObject,
  sequence: number,
): object {
  const object = {
    key: encodeURIComponent(key).replaceAll('%20', '+').replaceAll('%2F', '/'),
    size: bytes.length,
    eTag: etag.replaceAll('"', ''),
    sequencer: sequence.toString(16).toUpperCase().padStart(16, '0'),
  };
  const s3 = { s3SchemaVersion: '1.0', bucket: { name: bucket, arn: `arn:aws:s3:::${bucket}` }, object };
  const eventTime = lastModified.toISOString();
  return {
    Records: [{ eventVersion: '2.1', eventSource: 'aws:s3', eventTime, eventName: 'ObjectCreated:Put', s3 }],
  };
}
