import { createHash, randomUUID } from 'node:crypto';
import type { SQSEvent, SQSRecord } from 'aws-lambda';

/** A queue whose messages are taken as Lambda's poller would take them. */
export class SqsQueue {
  /** May be changed. */
  readonly messages: SQSRecord[] = [];

  /** @returns the message's id */
  put(body: string): string {
    const messageId = randomUUID();
    this.messages.push({
      messageId,
      receiptHandle: randomUUID(),
      body,
      attributes: {
        ApproximateReceiveCount: '1',
        SentTimestamp: String(Date.now()),
        SenderId: 'AIDAEXAMPLE',
        ApproximateFirstReceiveTimestamp: String(Date.now()),
      },
      messageAttributes: {},
      md5OfBody: createHash('md5').update(body).digest('hex'),
      eventSource: 'aws:sqs',
      eventSourceARN: 'arn:aws:sqs:eu-central-1:000000000000:events',
      awsRegion: 'eu-central-1',
    });
    return messageId;
  }

  /** Takes up to `count` messages out; `pick` chooses the place of each. */
  take(count: number, pick: (length: number) => number = () => 0): SQSEvent {
    const Records: SQSRecord[] = [];
    while (Records.length < count && this.messages.length > 0) {
      Records.push(...this.messages.splice(pick(this.messages.length), 1));
    }
    return { Records };
  }
}
