import { z } from 'zod';
import { messageOf } from '../lib/base/errors.ts';
import { parseDocument } from './parseDocument.ts';

const notificationSchema = z.object({
  Records: z
    .array(
      z.object({
        s3: z.object({
          bucket: z.object({ name: z.string() }),
          object: z.object({ key: z.string().transform(decodeKey) }),
        }),
      }),
    )
    /** S3 sends a test event without records when notifications are set up. */
    .default([]),
});

/**
 * URIs of the objects that an S3 notification tells of. Nothing else of it counts, not even its `sequencer`: what is planned
 * is what the bucket holds when the message is read, so that an old event can't bring back what a newer one replaced.
 * @throws ProblemsError EVENT_INVALID
 */
export function notifiedObjects(notification: unknown): string[] {
  const { Records } = parseDocument(notificationSchema, notification);
  return Records.map(({ s3 }) => `s3://${s3.bucket.name}/${s3.object.key}`);
}

/** Notifications encode keys as a form does. */
function decodeKey(key: string, context: z.core.$RefinementCtx<string>): string {
  try {
    return decodeURIComponent(key.replaceAll('+', ' '));
  } catch (error) {
    context.addIssue(messageOf(error));
    return z.NEVER;
  }
}
