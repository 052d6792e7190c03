import { z } from 'zod';

const notificationSchema = z.object({
  Records: z
    .array(
      z.object({
        s3: z.object({ bucket: z.object({ name: z.string() }), object: z.object({ key: z.string() }) }),
      }),
    )
    /** S3 sends a test event without records when notifications are set up. */
    .default([]),
});

/**
 * URIs of the objects that an S3 notification tells of. Nothing else of it counts, not even its `sequencer`: what is planned
 * is what the bucket holds when the message is read, so that an old event can't bring back what a newer one replaced.
 */
export function notifiedObjects(notification: unknown): string[] {
  return notificationSchema
    .parse(notification)
    .Records.map(({ s3 }) => `s3://${s3.bucket.name}/${decodeKey(s3.object.key)}`);
}

/** Notifications encode keys as a form does. */
function decodeKey(key: string): string {
  return decodeURIComponent(key.replaceAll('+', ' '));
}
