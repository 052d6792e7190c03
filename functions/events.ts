import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import { z } from 'zod';
import { messageOf } from '../lib/base/errors.ts';
import { decodeJson, parseDocument } from '../lib/base/jsonDocument.ts';
import { logFailure } from './telemetry.ts';

const EVENT_INVALID = 'EVENT_INVALID';

/** What a schema makes of an event or a message. @throws ProblemsError EVENT_INVALID with every problem */
export function parseEvent<Schema extends z.ZodType>(schema: Schema, event: unknown): z.infer<Schema> {
  return parseDocument(event, schema, {
    code: EVENT_INVALID,
    summary: "this isn't an event that the function handles",
  });
}

export function isSqsEvent(event: unknown): event is SQSEvent {
  return Array.isArray((event as Partial<SQSEvent> | null)?.Records);
}

/** Works through a batch message by message; those that failed are named in the answer and come again. */
export async function handleEach(
  records: readonly SQSRecord[],
  failure: string,
  work: (message: unknown, messageId: string) => Promise<void>,
): Promise<SQSBatchResponse> {
  const batchItemFailures: { itemIdentifier: string }[] = [];
  for (const { messageId, body } of records) {
    try {
      await work(decodeJson(body, { code: EVENT_INVALID }), messageId);
    } catch (error) {
      logFailure(failure, error, { messageId });
      batchItemFailures.push({ itemIdentifier: messageId });
    }
  }
  return { batchItemFailures };
}

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
 * URIs of the objects that an S3 notification names. Nothing else in it counts, not even its `sequencer`: what is planned
 * is what the bucket holds when the message is read, so that an old event can't bring back what a newer one replaced.
 * @throws ProblemsError EVENT_INVALID
 */
export function notifiedObjects(notification: unknown): string[] {
  const { Records } = parseEvent(notificationSchema, notification);
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
