import type { SQSRecord } from 'aws-lambda';
import { z } from 'zod';

const notificationSchema = z.object({
  Records: z
    .array(
      z.object({
        s3: z.object({
          bucket: z.object({ name: z.string() }),
          object: z.object({ key: z.string().transform(decodeKey), sequencer: z.string().optional() }),
        }),
      }),
    )
    /** S3 sends a test event without records when notifications are set up. */
    .default([]),
});

/** An object that an S3 event is about. */
export interface ObjectEvent {
  readonly uri: string;
  readonly sequencer: string;
  /** Messages that told of it. */
  readonly messageIds: readonly string[];
}

/**
 * The objects of a batch of S3 notifications, each once: of several events of a key the latest counts, and all their
 * messages stand or fall with it. A message that is no notification is given to `onBroken`, the others go on.
 */
export function objectEvents(
  records: readonly SQSRecord[],
  onBroken: (messageId: string, error: Error) => void,
): ObjectEvent[] {
  const byUri = new Map<string, ObjectEvent>();
  for (const { body, messageId } of records) {
    let notification: z.infer<typeof notificationSchema>;
    try {
      notification = notificationSchema.parse(JSON.parse(body));
    } catch (error) {
      onBroken(messageId, error as Error);
      continue;
    }
    for (const { s3 } of notification.Records) {
      const uri = `s3://${s3.bucket.name}/${s3.object.key}`;
      const sequencer = s3.object.sequencer ?? '';
      const known = byUri.get(uri);
      const isNewer = known === undefined || compareSequencers(sequencer, known.sequencer) > 0;
      byUri.set(uri, {
        uri,
        sequencer: isNewer ? sequencer : known.sequencer,
        messageIds: [...(known?.messageIds ?? []), messageId],
      });
    }
  }
  return [...byUri.values()];
}

/**
 * Order of two events of one key: hexadecimal numbers, right-padded with zeros to one length (S3 user guide, "Event
 * message structure"). Says nothing about two keys.
 */
export function compareSequencers(a: string, b: string): number {
  const length = Math.max(a.length, b.length);
  const [first, second] = [a.padEnd(length, '0').toUpperCase(), b.padEnd(length, '0').toUpperCase()];
  return first < second ? -1 : first > second ? 1 : 0;
}

/** Notifications encode keys as a form does. */
function decodeKey(key: string): string {
  return decodeURIComponent(key.replaceAll('+', ' '));
}
