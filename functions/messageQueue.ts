import { SendMessageBatchCommand, SQSClient } from '@aws-sdk/client-sqs';

/** What SQS takes in one call. */
const MESSAGES_A_CALL = 10;

let client: SQSClient | undefined;

/** Sends documents as JSON messages. @throws Error when one isn't taken; those before it may have been sent */
export async function sendMessages(
  queueUrl: string | undefined,
  documents: readonly object[],
): Promise<void> {
  if (documents.length === 0) return;
  if (queueUrl === undefined) throw new Error('a queue URL is missing from the environment');
  client ??= new SQSClient({});
  for (let at = 0; at < documents.length; at += MESSAGES_A_CALL) {
    const Entries = documents.slice(at, at + MESSAGES_A_CALL).map((document, index) => ({
      Id: String(index),
      MessageBody: JSON.stringify(document),
    }));
    const { Failed = [] } = await client.send(new SendMessageBatchCommand({ QueueUrl: queueUrl, Entries }));
    const [first] = Failed;
    if (first !== undefined) throw new Error(`${queueUrl} refused a message: ${first.Code} ${first.Message}`);
  }
}
