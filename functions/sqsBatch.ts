import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import { logger } from './telemetry.ts';

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
      await work(JSON.parse(body), messageId);
    } catch (error) {
      logger.error(failure, { error: error as Error, messageId });
      batchItemFailures.push({ itemIdentifier: messageId });
    }
  }
  return { batchItemFailures };
}
