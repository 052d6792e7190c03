import { z } from 'zod';
import { type ArrivalInput, arrivalInputSchema } from '../lib/arrivals/arrivalRun.ts';
import { messageOf, Ncs4cvrError } from '../lib/base/errors.ts';
import { decodeJson, isRecord } from '../lib/base/jsonDocument.ts';
import { EVENT_INVALID, parseEvent } from './parseEvent.ts';

/** What a message of the events queue tells of. */
export type ArrivalMessage =
  /** URIs; none for the event by which S3 tries a new notification. */
  | { readonly kind: 'objects'; readonly uris: readonly string[] }
  /** A run of arrivals that has failed, timed out or been aborted, so that it may not have finished its round. */
  | { readonly kind: 'ended'; readonly arrival: ArrivalInput['arrival'] }
  /** The end of a run that no arrival has started. */
  | { readonly kind: 'otherRun' };

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
    .min(1),
});

const objectCreatedSchema = z.object({
  detail: z.object({
    bucket: z.object({ name: z.string() }),
    // Unlike in notifications, it isn't encoded.
    object: z.object({ key: z.string() }),
  }),
});

const statusChangeSchema = z.object({
  detail: z.object({
    status: z.enum(['FAILED', 'TIMED_OUT', 'ABORTED']),
    /** Left out where it is very large, which that of an arrival never is. */
    input: z.string().nullish(),
  }),
});

const envelopeSchema = z.object({ Message: z.string() });

/** Of SNS around EventBridge around an event. */
const MOST_ENVELOPES = 3;

/**
 * What a message tells: S3's notification as it is or in SNS's envelope (with raw delivery there is none), EventBridge's
 * `Object Created`, or its status change of a run. Of an object nothing but its name counts, not even its `sequencer`: what
 * is planned is what the bucket holds when the plan is made, so that an old event can't bring back what a newer one replaced.
 * @throws Ncs4cvrError EVENT_INVALID for anything else, and for text that isn't JSON
 */
export function readArrivalMessage(body: string, envelopes = 0): ArrivalMessage {
  const message = decodeJson(body, { code: EVENT_INVALID });
  const has = (key: string, value?: string) =>
    isRecord(message) && (value === undefined ? key in message : message[key] === value);
  if (has('Event', 's3:TestEvent')) return { kind: 'objects', uris: [] };
  if (has('Type', 'Notification') && envelopes < MOST_ENVELOPES) {
    return readArrivalMessage(parseEvent(envelopeSchema, message).Message, envelopes + 1);
  }
  if (has('Records')) {
    const { Records } = parseEvent(notificationSchema, message);
    return { kind: 'objects', uris: Records.map(({ s3 }) => `s3://${s3.bucket.name}/${s3.object.key}`) };
  }
  if (has('source', 'aws.s3') && has('detail-type', 'Object Created')) {
    const { bucket, object } = parseEvent(objectCreatedSchema, message).detail;
    return { kind: 'objects', uris: [`s3://${bucket.name}/${object.key}`] };
  }
  if (has('source', 'aws.states') && has('detail-type', 'Step Functions Execution Status Change')) {
    return endedRun(parseEvent(statusChangeSchema, message).detail.input ?? '{}');
  }
  throw new Ncs4cvrError(EVENT_INVALID, 'the message tells of no object and of no run', {
    expected: "S3's notification, also in SNS's envelope, or an event of EventBridge",
    found: isRecord(message) ? `an object of ${Object.keys(message).slice(0, 5).join(', ')}` : typeof message,
  });
}

function endedRun(input: string): ArrivalMessage {
  const { success, data } = arrivalInputSchema.safeParse(decodeJson(input, { code: EVENT_INVALID }));
  return success ? { kind: 'ended', arrival: data.arrival } : { kind: 'otherRun' };
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
